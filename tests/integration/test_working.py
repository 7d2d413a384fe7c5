"""Which chunks a worker has at the same time."""

import threading
from dataclasses import dataclass, field, replace

import pytest
from ledger_steps import job_with, state_of
from sqlalchemy import update
from worker_parts import make_runtime

from core.types import JobKind, JobState
from db.database import Database
from db.ledger import control
from db.tables import ChunkTable, JobTable
from workers import working
from workers.holding import HeldLease
from workers.runtime import Runtime
from workers.working import work


@dataclass
class Watched:
    """Notes which chunks were worked on at the same time."""

    together: list[set[int]] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    meeting: threading.Barrier | None = None  # chunks wait here for each other

    def around(self, function):
        def watched(runtime: Runtime, lease: HeldLease) -> None:
            with self.lock:
                self.running.add(lease.claim.chunk_id)
                self.together.append(set(self.running))
            if self.meeting is not None:
                self.meeting.wait(timeout=30)
            try:
                function(runtime, lease)
            finally:
                with self.lock:
                    self.running.discard(lease.claim.chunk_id)

        return watched


@pytest.fixture
def runtime(ledger: Database) -> Runtime:
    return replace(make_runtime(ledger), isolates=False)


@pytest.fixture
def watched(monkeypatch) -> Watched:
    watched = Watched()
    monkeypatch.setattr(working, "label_chunk", watched.around(working.label_chunk))
    monkeypatch.setattr(working, "train", watched.around(fail_at_once))
    return watched


def fail_at_once(runtime: Runtime, lease: HeldLease) -> None:
    """As a training that fails at once; how one is done is tested elsewhere."""
    with runtime.database.write() as session:
        control.fail(session, lease.claim.job_id, "test")


def test_two_chunks_are_worked_on_at_the_same_time(ledger: Database, runtime: Runtime, watched: Watched):
    watched.meeting = threading.Barrier(2)
    job_id = job_with(ledger, 16)
    assert work(runtime) == 4
    assert state_of(ledger, job_id) is JobState.DONE
    assert max(map(len, watched.together)) == 2


def test_a_chunk_that_a_worker_died_over_is_worked_on_alone(ledger: Database, runtime: Runtime, watched: Watched):
    job_id = job_with(ledger, 24)
    with ledger.write() as session:
        suspect = session.query(ChunkTable.id).order_by(ChunkTable.id).offset(2).limit(1).scalar()
        session.execute(update(ChunkTable).where(ChunkTable.id == suspect).values(deaths=1))
    assert work(runtime) == 6
    assert state_of(ledger, job_id) is JobState.DONE
    assert [chunks for chunks in watched.together if suspect in chunks] == [{suspect}]


def test_a_training_is_worked_on_alone(ledger: Database, runtime: Runtime, watched: Watched):
    label_id = job_with(ledger, 8)
    train_id = job_with(ledger, 4, kind=JobKind.TRAIN)
    more_id = job_with(ledger, 8)
    assert work(runtime) == 5
    assert [state_of(ledger, job_id) for job_id in (label_id, train_id, more_id)] == [
        JobState.DONE,
        JobState.FAILED,
        JobState.DONE,
    ]
    with ledger.read() as session:
        training = session.query(ChunkTable.id).filter_by(job_id=train_id).scalar()
    assert [chunks for chunks in watched.together if training in chunks] == [{training}]


def test_a_training_does_not_wait_for_all_labelling_that_was_there_before_it(
    ledger: Database, runtime: Runtime, watched: Watched
):
    job_with(ledger, 80)
    train_id = job_with(ledger, 4, kind=JobKind.TRAIN)
    runtime.backbones.get("mobilenet")
    with ledger.write() as session:
        # As if it had waited for long.
        training = session.query(ChunkTable.id).filter_by(job_id=train_id).scalar()
        session.execute(update(JobTable).where(JobTable.id == train_id).values(created_at=0))
    assert work(runtime) == 21
    assert watched.together.index({training}) < 5
    assert max(map(len, watched.together[5:])) == 2, "after it, two chunks are worked on again"


def test_after_its_time_a_worker_claims_nothing_more(ledger: Database, runtime: Runtime):
    job_id = job_with(ledger, 40)
    assert work(runtime, for_s=0) == 0
    assert state_of(ledger, job_id) is JobState.RUNNING
    assert work(runtime) == 10


def test_a_claim_whose_answer_was_lost_keeps_no_chunk(ledger: Database, runtime: Runtime, monkeypatch):
    """As when the server dies between a commit and its answer: the claim is made again."""
    job_id = job_with(ledger, 4)
    transact = ledger.transact

    def lose_the_first_answer(unit, **options):
        monkeypatch.setattr(ledger, "transact", transact)
        transact(unit)
        return transact(unit, **options)

    monkeypatch.setattr(ledger, "transact", lose_the_first_answer)
    assert work(runtime) == 1
    assert state_of(ledger, job_id) is JobState.DONE
