"""The dispatcher looks after jobs that nobody waits for."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_steps import num_results, state_of
from sqlalchemy import func, select, update

from core.jobs import JobRequest, LabelOptions
from core.settings import Settings
from core.types import JobKind, JobState
from db.database import Database
from db.ledger import accepting, control
from db.model_tables import EvaluationTable
from db.models import ensure_model
from db.tables import ImageTable, JobTable
from orchestrator.serving.dispatching import Dispatcher
from orchestrator.sources import resolve_sources
from workers.access import Access

NUM_IMAGES = 40
WAIT_S = 60.0


class CountingWaker:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.num_asked = 0

    def top_up(self) -> int:
        self.num_asked += 1
        return 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(NUM_IMAGES):
        (tmp_path / "photos" / f"{number:03d}.jpg").touch()
    return tmp_path / "photos"


def accept(ledger: Database, folder: Path, kind: JobKind = JobKind.LABEL) -> int:
    specs = [spec.to_json() for spec in resolve_sources([str(folder)], Access())]
    with ledger.write() as session:
        model_id = ensure_model(session, name="imagenet:mobilenet", version=1, backbone="mobilenet")
        request = JobRequest("test", (model_id,), specs, "hash", LabelOptions(chunk_size=5), kind=kind)
        return accepting.accept(session, request)


def look_until(dispatchers: list[Dispatcher], condition: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + WAIT_S
    while not condition() or any(dispatcher._planners for dispatcher in dispatchers):
        assert time.monotonic() < give_up_at_s
        for dispatcher in dispatchers:
            dispatcher.look()


def is_planned(ledger: Database, job_id: int) -> bool:
    return ledger.query(lambda session: control.get_job(session, job_id).planned_at) is not None


def num_images(ledger: Database) -> int:
    return ledger.query(lambda session: session.scalars(select(func.count()).select_from(ImageTable)).one())


def test_a_job_that_nobody_plans_is_planned_once_by_any_number_of_dispatchers(ledger: Database, folder: Path):
    job_id = accept(ledger, folder)
    waker = CountingWaker()
    dispatchers = [Dispatcher(ledger, Settings(), waker) for _ in range(3)]
    look_until(dispatchers, lambda: is_planned(ledger, job_id))
    assert num_images(ledger) == NUM_IMAGES
    assert waker.num_asked > 0


def test_a_plan_that_grows_is_left_to_whoever_makes_it(ledger: Database, folder: Path):
    job_id = accept(ledger, folder)
    dispatcher = Dispatcher(ledger, Settings(), CountingWaker())
    for number in range(5):
        cursor = f'{{"source": 0, "after": "{number:03d}.jpg", "num_skipped": 0}}'
        grown = update(JobTable).where(JobTable.id == job_id).values(plan_cursor=cursor)
        ledger.transact(lambda session, grown=grown: session.execute(grown))
        dispatcher.look()
        assert not dispatcher._planners
    dispatcher.look()
    assert list(dispatcher._planners) == [job_id]
    look_until([dispatcher], lambda: is_planned(ledger, job_id))


def test_a_job_whose_source_is_gone_fails_and_others_go_on(ledger: Database, folder: Path, tmp_path: Path):
    gone = accept(ledger, folder)
    folder.rename(tmp_path / "elsewhere")
    good = accept(ledger, tmp_path / "elsewhere")
    dispatcher = Dispatcher(ledger, Settings(), CountingWaker())
    look_until([dispatcher], lambda: is_planned(ledger, good) and state_of(ledger, gone) is JobState.FAILED)


def test_an_evaluation_that_cannot_be_measured_is_not_tried_for_ever(ledger: Database, folder: Path):
    job_id = accept(ledger, folder, JobKind.EVALUATE)
    ended = update(JobTable).where(JobTable.id == job_id).values(state=JobState.DONE)
    ledger.transact(lambda session: session.execute(ended))
    dispatcher = Dispatcher(ledger, Settings(), CountingWaker())
    for _ in range(3):
        dispatcher.look()
    assert dispatcher._not_to_measure == {job_id}
    assert ledger.query(lambda session: session.scalars(select(EvaluationTable.id)).all()) == []
    assert num_results(ledger, job_id) == 0
