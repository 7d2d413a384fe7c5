"""The lifecycle of services, with short patience."""

import threading
from collections.abc import Iterator

import pytest

from core.errors import SetupError
from orchestrator.serving import services
from orchestrator.serving.services import Service, repeated, stop_all

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def short_back_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(services, "FIRST_BACK_OFF_S", 0.01)
    return


@pytest.mark.parametrize("problem", [ValueError("broken"), SetupError("away"), SystemExit(1)], ids=repr)
def test_a_service_that_fails_is_begun_again(problem: BaseException):
    worked = threading.Event()
    attempts: list[int] = []

    def work(stopped: threading.Event) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise problem
        worked.set()
        stopped.wait()

    service = Service("test", work)
    service.start()
    assert worked.wait(PATIENCE_S)
    service.stop()
    assert len(attempts) == 3


def test_a_service_that_returns_too_early_is_begun_again():
    twice = threading.Barrier(2)
    service = Service("test", lambda _: twice.wait(PATIENCE_S) and None)
    service.start()
    for _ in range(2):
        twice.wait(PATIENCE_S)
    twice.abort()
    service.stop()


def test_repeated_work_stops_in_the_middle_of_its_pause():
    worked = threading.Event()
    service = Service("test", repeated(worked.set, every_s=10_000))
    service.start()
    assert worked.wait(PATIENCE_S)
    assert stop_all([service], timeout_s=PATIENCE_S)


def test_one_that_does_not_stop_holds_nobody_up_for_long():
    stuck, released = threading.Event(), threading.Event()

    def work(_: threading.Event) -> None:
        stuck.set()
        released.wait()

    bad, good = Service("bad", work), Service("good", repeated(lambda: None, every_s=10_000))
    for service in (bad, good):
        service.start()
    assert stuck.wait(PATIENCE_S)
    assert not stop_all([bad, good], timeout_s=0.2)
    assert not good._thread.is_alive()
    released.set()
