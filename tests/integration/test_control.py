"""Steering jobs: pause, cancel, priority, shares. Each promise on SQLite and on PostgreSQL."""

import time
from dataclasses import dataclass

import pytest
from ledger_steps import accept, claim, expire_leases, finish, job_with, num_results, plan, state_of, sweep
from worker_parts import ConstantEngine, GreyImages, make_runtime

from core.errors import LeaseLostError, UnknownJobError, UsageError
from core.items import FileLocator, Item
from core.jobs import SweepReport, WorkerProfile
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import JobKind, JobState, Priority
from db.database import Database
from db.ledger import accepting, control, leasing, ordering
from orchestrator import steering
from workers import holding, quantized
from workers.app import create_app
from workers.broker import BrokerWaker
from workers.holding import HeldLease
from workers.working import work


def test_a_worker_stops_within_a_batch_of_a_cancel_and_writes_no_row(ledger: Database):
    job_id = accept(ledger)
    items = [Item(f"{n}.jpg", FileLocator(f"/{n}.jpg"), str(n)) for n in range(80)]
    with ledger.write() as session:
        assert accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=80)
        accepting.finish_planning(session, job_id, num_skipped=0)

    def cancel_in_the_second(num_batches: int) -> None:
        if num_batches == 2:
            steering.cancel(ledger, [job_id])
        time.sleep(1.5 * holding.LOOK_INTERVAL_S)

    engine = ConstantEngine(cancel_in_the_second)
    work(make_runtime(ledger, engine=engine))
    # The one that it was in, and those that were on their way behind it: of twenty.
    assert engine.num_batches <= 2 + 3
    assert num_results(ledger, job_id) == 0
    assert state_of(ledger, job_id) is JobState.CANCELLED


def test_between_renewals_a_lease_is_looked_at(ledger: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(holding, "MAX_RENEWAL_INTERVAL_S", 1e6)
    monkeypatch.setattr(holding, "LOOK_INTERVAL_S", 0.0)
    job_id = job_with(ledger, 4)
    lease = HeldLease(ledger, claim(ledger), lease_s=1e9)
    lease.progressed(1)
    steering.cancel(ledger, [job_id])
    with pytest.raises(LeaseLostError):
        lease.progressed(2)


def test_looks_are_not_made_for_every_batch(ledger: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(holding, "LOOK_INTERVAL_S", 1e6)
    job_id = job_with(ledger, 4)
    lease = HeldLease(ledger, claim(ledger), lease_s=1e9)
    steering.cancel(ledger, [job_id])
    for number in range(100):
        lease.progressed(number)


def test_what_a_worker_finishes_of_a_paused_job_counts_and_of_a_cancelled_one_does_not(ledger: Database):
    paused, cancelled = job_with(ledger, 8), job_with(ledger, 8)
    leases = {lease.job_id: lease for lease in (claim(ledger), claim(ledger))}
    steering.pause(ledger, [paused])
    steering.cancel(ledger, [cancelled])
    assert finish(ledger, leases[paused])
    assert not finish(ledger, leases[cancelled])
    assert (num_results(ledger, paused), num_results(ledger, cancelled)) == (4, 0)


def test_a_paused_job_is_claimed_swept_and_planned_by_nobody(ledger: Database):
    job_id = accept(ledger)
    plan(ledger, job_id, 8, finish=False)
    steering.pause(ledger, [job_id])
    assert claim(ledger) is None
    assert sweep(ledger) == SweepReport()
    item = Item("late.jpg", FileLocator("/late.jpg"), "late")
    with ledger.write() as session:
        assert not accepting.append_items(session, job_id, [item], after=8, cursor="x", chunk_size=4)
    with ledger.write() as session:
        control.resume(session, job_id)
    assert claim(ledger) is not None


def test_who_waits_for_images_to_be_planned_finds_out_that_they_never_will_be(ledger: Database):
    job_id = accept(ledger)
    plan(ledger, job_id, 4, finish=False)
    lease = HeldLease(ledger, claim(ledger), lease_s=30.0)
    steering.cancel(ledger, [job_id])
    with pytest.raises(LeaseLostError):
        quantized._first_images(ledger, GreyImages(), job_id, PreprocessingContract((8, 8)), lease.progressed)


def test_no_wake_up_is_published_for_a_paused_job(ledger: Database, redis_url: str):
    waker = BrokerWaker(create_app(Settings(broker_url=redis_url)), ledger)
    paused, running = job_with(ledger, 400), job_with(ledger, 8)
    steering.pause(ledger, [paused])
    assert waker.top_up() == 2
    steering.cancel(ledger, [running])
    assert waker.top_up() == 0


def test_a_training_that_is_paused_is_given_back(ledger: Database):
    job_id = job_with(ledger, 4, kind=JobKind.TRAIN)
    lease = claim(ledger)
    said = steering.pause(ledger, [job_id])
    assert "checkpoint" in said[0]
    with ledger.read() as session:
        assert not leasing.holds(session, lease)


def test_a_claim_that_a_cancel_did_not_see_is_found_out(postgres_url: str):
    ledger = Database(postgres_url)
    job_id = job_with(ledger, 4)
    with ledger.write() as session:
        lease = leasing.claim(session, WorkerProfile("anna"), lease_s=30.0)
        steering.cancel(ledger, [job_id])
    with ledger.read() as session:
        assert not leasing.holds(session, lease)
    ledger.close()


def test_several_are_steered_together_or_not_at_all(ledger: Database):
    first, second = job_with(ledger, 4), job_with(ledger, 4)
    with pytest.raises(UnknownJobError, match="no job 99"):
        steering.pause(ledger, [first, second, 99])
    assert state_of(ledger, first) is JobState.RUNNING
    said = steering.pause(ledger, [first, second])
    assert said == [
        f"Job {job_id} is paused; 0 of 4 images have their rows. `labelyard jobs resume {job_id}` goes on."
        for job_id in (first, second)
    ]
    assert "paused already" in steering.pause(ledger, [first])[0]
    steering.cancel(ledger, [first, second])
    with pytest.raises(UsageError, match="is cancelled; there is nothing to pause"):
        steering.pause(ledger, [first])


def test_a_job_that_is_made_urgent_overtakes_at_the_next_claim(ledger: Database):
    first, second = job_with(ledger, 12), job_with(ledger, 12)
    assert claim(ledger).job_id == first
    steering.set_priority(ledger, [second], Priority.URGENT)
    assert [claim(ledger).job_id for _ in range(3)] == [second] * 3
    steering.set_priority(ledger, [second], Priority.BULK)
    steering.cancel(ledger, [second])
    with pytest.raises(UsageError, match="its priority changes nothing"):
        steering.set_priority(ledger, [second], Priority.URGENT)


def test_a_pause_says_why_until_the_job_goes_on(ledger: Database):
    job_id = job_with(ledger, 4)
    with ledger.write() as session:
        assert control.pause(session, job_id, reason="The disk is full.")
    with ledger.write() as session:
        assert control.get_job(session, job_id).pause_reason == "The disk is full."
        control.resume(session, job_id)
    with ledger.read() as session:
        assert control.get_job(session, job_id).pause_reason is None


@dataclass
class Slot:
    """Half of a worker: it has one chunk at a time."""

    profile: WorkerProfile
    lease: object = None


def chunk_times_of(ledger: Database, job_id: int, slots: list[Slot]) -> int:
    """How many chunks each slot works on, one after the other, before a job ends. All chunks take equally long."""
    for number in range(1, 1000):
        for slot in slots:
            if slot.lease is not None:
                finish(ledger, slot.lease)
            slot.lease = claim(ledger, slot.profile)
            if slot.lease is not None and slot.lease.job_id == job_id:
                slot.profile = WorkerProfile(slot.profile.worker_id, warm=frozenset({"mobilenet", "vgg16"}))
        if state_of(ledger, job_id) is JobState.DONE:
            return number
    raise AssertionError("it never ended")


@pytest.mark.parametrize("num_slots", [1, 2, 3, 8])
@pytest.mark.parametrize("backbone", ["mobilenet", "vgg16"])
def test_a_short_job_behind_a_long_one_takes_at_most_three_times_as_long_as_alone(
    ledger: Database, num_slots: int, backbone: str
):
    def slots() -> list[Slot]:
        return [Slot(WorkerProfile(f"worker-{n}", warm=frozenset({"mobilenet"}))) for n in range(num_slots)]

    alone = chunk_times_of(ledger, job_with(ledger, 40, backbone=backbone), slots())
    long_job = job_with(ledger, 4000)
    busy = slots()
    for slot in busy:
        slot.lease = claim(ledger, slot.profile)
        assert slot.lease.job_id == long_job
    short_job = job_with(ledger, 40, backbone=backbone)
    if backbone == "vgg16":
        # Where every worker would have to load its network, a job waits five seconds for one that has it.
        with ledger.write() as session:
            control.get_job(session, short_job).created_at -= ordering.NEW_STARVING_AFTER_S
    assert chunk_times_of(ledger, short_job, busy) <= 3 * alone


def test_a_worker_that_is_alone_does_not_change_networks_with_every_chunk(ledger: Database):
    first = job_with(ledger, 40)
    other = job_with(ledger, 40, backbone="vgg16")
    profile = WorkerProfile("anna", warm=frozenset({"mobilenet"}))
    assert [claim(ledger, profile).job_id for _ in range(2)] == [first, first]
    assert other != first


def test_an_expired_lease_of_a_paused_job_is_taken_back_once(ledger: Database):
    job_id = job_with(ledger, 4)
    assert claim(ledger) is not None
    steering.pause(ledger, [job_id])
    expire_leases(ledger)
    assert sweep(ledger).num_requeued == 1
    assert sweep(ledger) == SweepReport()
