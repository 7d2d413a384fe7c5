"""Planning streams into the ledger, and a planner that dies costs nothing."""

from pathlib import Path

import pytest
from servers import RedisServer
from sqlalchemy import select

from core.errors import SourceError
from core.jobs import JobRequest, LabelOptions, WorkerProfile
from core.settings import Settings
from core.types import JobState
from db.database import Database
from db.ledger import accepting, control, leasing
from db.models import ensure_model
from db.tables import ChunkTable, ImageTable
from orchestrator.planning import plan, plan_or_fail
from orchestrator.sources import resolve_sources
from workers.access import Access
from workers.app import create_app
from workers.broker import BrokerWaker
from workers.sweeper import Sweeper
from workers.waking import wake

CHUNK_SIZE = 5


class PlannerKilledError(Exception):
    """Stands for the death of the process that plans."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images in two folders and three files that are none."""
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "photos" / name / f"{number:03d}.jpg").touch()
    for number in range(3):
        (tmp_path / "photos" / f"notes-{number}.txt").write_text("words")
    return tmp_path / "photos"


def accept(ledger: Database, *sources: Path) -> int:
    specs = [spec.to_json() for spec in resolve_sources([str(source) for source in sources], Access())]
    with ledger.write() as session:
        model_id = ensure_model(session, name="imagenet:mobilenet", version=1, backbone="mobilenet")
        options = LabelOptions(chunk_size=CHUNK_SIZE)
        return accepting.accept(session, JobRequest("test", (model_id,), specs, "hash", options))


def planned_names(ledger: Database, job_id: int) -> list[str]:
    with ledger.read() as session:
        query = select(ImageTable.name).where(ImageTable.job_id == job_id).order_by(ImageTable.ordinal)
        return list(session.scalars(query))


def test_a_worker_starts_before_the_last_image_is_planned(ledger: Database, folder: Path):
    job_id = accept(ledger, folder)
    claimed = []

    def claim() -> None:
        with ledger.write() as session:
            lease = leasing.claim(session, WorkerProfile("anna"), lease_s=30)
            claimed.append((lease, control.get_job(session, job_id).planned_at))

    plan(ledger, job_id, Access(), after_commit=claim)
    first, planned_at = claimed[0]
    assert first is not None
    assert (first.first_ordinal, first.last_ordinal, planned_at) == (0, CHUNK_SIZE - 1, None)


@pytest.mark.parametrize("num_batches_before_death", [1, 2, 3])
def test_a_dead_planner_is_resumed_from_its_cursor(ledger: Database, folder: Path, num_batches_before_death: int):
    unbroken, broken = accept(ledger, folder, folder / "a"), accept(ledger, folder, folder / "a")
    plan(ledger, unbroken, Access())
    num_batches = 0

    def die() -> None:
        nonlocal num_batches
        num_batches += 1
        if num_batches == num_batches_before_death:
            raise PlannerKilledError

    with pytest.raises(PlannerKilledError):
        plan(ledger, broken, Access(), after_commit=die)
    plan(ledger, broken, Access())
    assert planned_names(ledger, broken) == planned_names(ledger, unbroken)
    assert len(planned_names(ledger, broken)) == 60
    with ledger.read() as session:
        assert control.get_job(session, broken).num_skipped == control.get_job(session, unbroken).num_skipped == 3
        ranges = session.execute(
            select(ChunkTable.first_ordinal, ChunkTable.last_ordinal)
            .where(ChunkTable.job_id == broken)
            .order_by(ChunkTable.first_ordinal)
        ).all()
    covered = [ordinal for first, last in ranges for ordinal in range(first, last + 1)]
    assert covered == list(range(60)), "every image is in exactly one chunk"


def test_planning_goes_on_while_the_broker_is_away(ledger: Database, folder: Path, own_redis_server: RedisServer):
    waker = BrokerWaker(create_app(Settings(broker_url=own_redis_server.url)), ledger)
    assert waker.num_waiting() == 0
    own_redis_server.kill()
    job_id = accept(ledger, folder)
    plan(ledger, job_id, Access(), after_commit=lambda: wake(waker))
    assert len(planned_names(ledger, job_id)) == 40
    own_redis_server.start()
    assert Sweeper(ledger, waker, interval_s=1, lease_s=30).sweep_once().num_requeued == 0
    assert waker.num_waiting() == 40 / CHUNK_SIZE, "the sweeper has made up for what was not sent"


def test_a_source_that_cannot_be_read_any_further_fails_the_job_and_says_why(ledger: Database, folder: Path):
    job_id = accept(ledger, folder)
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()
    with pytest.raises(SourceError):
        plan_or_fail(ledger, job_id, Access(), after_commit=lambda: None)
    with ledger.read() as session:
        job = control.get_job(session, job_id)
        assert job.state is JobState.FAILED
        assert str(folder) in (job.error or "")
