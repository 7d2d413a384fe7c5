"""The line that says how far a job is, for pipes and logs."""

import pytest

from core.jobs import Progress
from orchestrator.cli import reporting
from orchestrator.cli.reporting import PlainReporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the code under test sees; set its only item."""
    now_s = [0.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now_s[0])
    return now_s


@pytest.fixture
def reporter(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> PlainReporter:
    del clock
    monkeypatch.setattr(reporting, "PLAIN_INTERVAL_S", 0.0)
    return PlainReporter()


def told(reporter: PlainReporter, capsys: pytest.CaptureFixture[str], num_done: int, num_planned: int) -> str:
    reporter.update(Progress(num_planned, is_planned=True, num_predictions=num_done, num_errors=0, num_in_progress=0))
    return capsys.readouterr().err


def test_a_job_that_is_finished_at_the_first_look_has_no_speed_and_nothing_left(
    reporter: PlainReporter, capsys: pytest.CaptureFixture[str]
):
    assert told(reporter, capsys, 4, 4) == "4 of 4 images, 0 errors\n"


def test_a_job_that_goes_on_has_its_speed_and_the_time_left(
    reporter: PlainReporter, capsys: pytest.CaptureFixture[str], clock: list[float]
):
    clock[0] = 1.0
    assert "10 of 100 images, 0 errors, ? left" in told(reporter, capsys, 10, 100)
    clock[0] = 2.0
    assert "20 of 100 images, 10.0 images/s, 0 errors, 0:00:08 left" in told(reporter, capsys, 20, 100)
