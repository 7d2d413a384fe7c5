"""What the first page counts: how fast all workers together are, and what is owed."""

import pytest
from ledger_steps import BERT, claim, finish, job_with
from sqlalchemy import update

from core.types import JobState
from db.clock import read_now
from db.database import Database
from db.tables import ChunkTable, JobTable
from db.workers import WorkerIdentity, WorkerReport, report
from orchestrator.dashboard.throughput import NUM_COLUMNS, Queue, measure_queue, measure_throughput


def finish_at(ledger: Database, *, ago_s: float, took_s: float) -> None:
    """Have a chunk of four images done, at a time of the test's choice."""
    lease = claim(ledger)
    assert lease is not None
    assert finish(ledger, lease)
    with ledger.write() as session:
        now = read_now(session)
        times = {"claimed_at": now - ago_s - took_s, "finished_at": now - ago_s, "num_processed": 4}
        session.execute(update(ChunkTable).where(ChunkTable.id == lease.chunk_id).values(times))


@pytest.fixture
def anna(ledger: Database) -> None:
    with ledger.write() as session:
        report(session, WorkerIdentity("anna", "here", 1), WorkerReport())


@pytest.mark.usefixtures("anna")
def test_images_count_in_the_minutes_in_which_they_were_processed(ledger: Database):
    job_with(ledger, 12)
    finish_at(ledger, ago_s=10, took_s=20)
    finish_at(ledger, ago_s=610, took_s=20)
    finish_at(ledger, ago_s=7200, took_s=20)
    with ledger.read() as session:
        found = measure_throughput(session)
    assert found.num_last_hour == 8
    assert found.now == pytest.approx(4 / 60, rel=0.01)
    assert len(found.rates) == len(found.minutes) == NUM_COLUMNS
    assert [place for place, rate in enumerate(found.rates) if rate] == [NUM_COLUMNS - 11, NUM_COLUMNS - 1]


def test_what_running_jobs_owe_is_counted_and_what_others_owe_is_not(ledger: Database):
    job_with(ledger, 10)
    other = job_with(ledger, 6)
    with ledger.write() as session:
        session.execute(update(JobTable).where(JobTable.id == other).values(state=JobState.PAUSED))
    assert claim(ledger, BERT) is not None
    with ledger.read() as session:
        assert measure_queue(session) == Queue(num_chunks=2, num_images=6, num_leased=1)
