"""The time left that a progress bar shows."""

import pytest

from orchestrator.cli import speed as speed_module
from orchestrator.cli.speed import Speed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the code under test sees; set its only item."""
    now_s = [0.0]
    monkeypatch.setattr(speed_module.time, "monotonic", lambda: now_s[0])
    return now_s


def test_loading_a_model_does_not_count_as_slowness(clock: list[float]):
    speed = Speed()
    for clock[0], num_images in ((0, 0), (10, 0), (11, 100), (12, 200)):
        speed.add(num_images)
    assert speed.images_per_s == 100
    assert speed.time_left(6000, is_planned=True) == "0:01:00"


def test_old_speed_is_forgotten(clock: list[float]):
    speed = Speed()
    for second in range(60):
        clock[0] = second
        speed.add(1000 + second if second < 30 else 1029 + 10 * (second - 29))
    assert speed.images_per_s == pytest.approx(10)


def test_nothing_is_said_while_the_end_is_not_known(clock: list[float]):
    speed = Speed()
    assert speed.time_left(10, is_planned=True) == "?"
    for clock[0], num_images in ((1, 5), (2, 10)):
        speed.add(num_images)
    assert speed.time_left(10, is_planned=False) == "?"
