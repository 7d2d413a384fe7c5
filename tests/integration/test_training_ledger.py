"""What the ledger promises of trainings: never cut, checkpoints, pause and cancel. On both databases."""

import pytest
from ledger_steps import ANNA, claim, expire_leases, finish, job_with, state_of, sweep

from core.errors import UsageError
from core.jobs import Claim, WorkerProfile
from core.queues import Queue, kinds_of
from core.types import JobKind, JobState
from db.database import Database
from db.ledger import control, leasing

LABELLER = WorkerProfile("labeller", kinds=Queue.LABEL.kinds)


def training(ledger: Database) -> int:
    """A training whose images fit into one chunk."""
    return job_with(ledger, 4, kind=JobKind.TRAIN)


def renew(ledger: Database, lease: Claim) -> bool:
    with ledger.write() as session:
        return leasing.renew(session, lease, lease_s=30.0, num_processed=1)


def die(ledger: Database) -> None:
    assert claim(ledger) is not None
    expire_leases(ledger)
    sweep(ledger)


def test_a_worker_is_handed_only_the_kinds_of_work_that_it_takes(ledger: Database):
    job_id = training(ledger)
    assert claim(ledger, LABELLER) is None
    lease = claim(ledger, WorkerProfile("trainer", kinds=kinds_of([Queue.TRAIN])))
    assert lease is not None
    assert (lease.job_id, lease.kind) == (job_id, JobKind.TRAIN)


def test_a_training_whose_workers_die_is_not_cut_and_fails_at_the_third_death(ledger: Database):
    job_id = training(ledger)
    for _ in range(2):
        die(ledger)
        assert state_of(ledger, job_id) is JobState.RUNNING
    lease = claim(ledger)
    assert lease is not None
    assert (lease.num_images, lease.attempt) == (4, 3)
    expire_leases(ledger)
    sweep(ledger)
    assert state_of(ledger, job_id) is JobState.FAILED
    with ledger.read() as session:
        assert "3 workers in a row died" in str(control.get_job(session, job_id).error)


def test_deaths_before_a_checkpoint_do_not_count(ledger: Database):
    job_id = training(ledger)
    for _ in range(5):
        lease = claim(ledger)
        assert lease is not None
        with ledger.write() as session:
            assert leasing.checkpoint(session, lease)
        expire_leases(ledger)
        sweep(ledger)
    assert state_of(ledger, job_id) is JobState.RUNNING


def test_a_failed_training_that_is_resumed_starts_with_no_deaths(ledger: Database):
    job_id = training(ledger)
    for _ in range(3):
        die(ledger)
    with ledger.write() as session:
        control.resume(session, job_id)
    die(ledger)
    assert state_of(ledger, job_id) is JobState.RUNNING


def test_a_checkpoint_under_a_lost_lease_is_refused(ledger: Database):
    training(ledger)
    lost = claim(ledger)
    expire_leases(ledger)
    sweep(ledger)
    claim(ledger)
    assert lost is not None
    with ledger.write() as session:
        assert not leasing.checkpoint(session, lost)


@pytest.mark.parametrize("kind", [JobKind.TRAIN, JobKind.LABEL])
def test_cancelling_takes_the_lease_away_and_ends_the_job(ledger: Database, kind: JobKind):
    job_id = job_with(ledger, 4, kind=kind)
    lease = claim(ledger)
    with ledger.write() as session:
        control.cancel(session, job_id)
    assert lease is not None
    assert not renew(ledger, lease)
    assert not finish(ledger, lease)
    assert claim(ledger) is None
    assert state_of(ledger, job_id) is JobState.CANCELLED
    with ledger.write() as session, pytest.raises(UsageError, match="nothing to cancel"):
        control.cancel(session, job_id)


def test_pausing_a_training_takes_its_lease_away_and_resuming_hands_it_out_again(ledger: Database):
    job_id = training(ledger)
    lease = claim(ledger)
    with ledger.write() as session:
        assert control.pause(session, job_id)
    assert lease is not None
    assert not renew(ledger, lease)
    with ledger.write() as session:
        control.resume(session, job_id)
    again = claim(ledger, ANNA)
    assert again is not None
    assert again.attempt == 2


def test_pausing_a_labelling_lets_its_worker_finish_the_chunk(ledger: Database):
    job_id = job_with(ledger, 8)
    lease = claim(ledger)
    with ledger.write() as session:
        control.pause(session, job_id)
    assert lease is not None
    assert renew(ledger, lease)
    assert finish(ledger, lease)


def test_the_images_of_a_training_cannot_be_retried(ledger: Database):
    job_id = training(ledger)
    lease = claim(ledger)
    assert lease is not None
    finish(ledger, lease, bad=[1])
    with ledger.write() as session, pytest.raises(UsageError, match="train again"):
        control.retry_errors(session, job_id, chunk_size=4)
