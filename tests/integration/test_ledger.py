"""The ledger's promises, each on SQLite and on PostgreSQL."""

import threading
import time

import pytest
from ledger_steps import (
    ANNA,
    BERT,
    LEASE_S,
    accept,
    claim,
    expire_leases,
    finish,
    job_with,
    model_of,
    num_results,
    outcomes,
    plan,
    state_of,
    sweep,
)
from sqlalchemy import func, select, update

from core.errors import UnknownJobError
from core.items import FileLocator, Item
from core.jobs import WorkerProfile
from core.types import JobState, Priority
from db.database import Database
from db.ledger import accepting, control, leasing, ordering, sweeping
from db.ledger.progress import count_reasons, progress
from db.results import labelled_images
from db.tables import ChunkTable, JobTable


def test_every_image_of_a_finished_job_has_one_row_in_source_order(ledger: Database):
    job_id = job_with(ledger, 10)
    while lease := claim(ledger):
        assert finish(ledger, lease, bad=[5])
    assert state_of(ledger, job_id) is JobState.DONE
    with ledger.read() as session:
        images = list(labelled_images(session, job_id, model_of(ledger, job_id)))
        so_far = progress(session, job_id)
        assert count_reasons(session, job_id) == {"truncated": 1}
    assert [image.name for image in images] == [f"{n}.jpg" for n in range(10)]
    assert images[0].topk == [(7, 0.75), (3, 0.25)]
    assert [image.ordinal for image in images if image.reason] == [5]
    assert (so_far.num_planned, so_far.num_predictions, so_far.num_errors) == (10, 9, 1)


def test_a_chunk_is_leased_to_one_worker_only(ledger: Database):
    job_with(ledger, 8)
    first, second, third = claim(ledger, ANNA), claim(ledger, BERT), claim(ledger, BERT)
    assert first is not None
    assert second is not None
    assert first.chunk_id != second.chunk_id
    assert third is None


def test_concurrent_claims_never_hand_out_a_chunk_twice(ledger: Database):
    job_with(ledger, 160)
    claimed: list[int] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        while lease := claim(ledger, WorkerProfile(name)):
            with lock:
                claimed.append(lease.chunk_id)

    threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 40
    assert len(set(claimed)) == 40


def test_a_late_worker_is_fenced_and_writes_nothing(ledger: Database):
    job_id = job_with(ledger, 4)
    late = claim(ledger, ANNA)
    assert late is not None
    expire_leases(ledger)
    assert sweep(ledger).num_requeued == 1
    assert not finish(ledger, late)
    assert num_results(ledger, job_id) == 0
    current = claim(ledger, BERT)
    assert current is not None
    assert current.attempt == late.attempt + 1
    assert not finish(ledger, late)
    assert finish(ledger, current)
    assert not finish(ledger, current)
    assert num_results(ledger, job_id) == 4


def test_a_renewed_lease_is_not_swept(ledger: Database):
    job_with(ledger, 4)
    lease = claim(ledger)
    assert lease is not None
    expire_leases(ledger)
    with ledger.write() as session:
        assert leasing.renew(session, lease, lease_s=LEASE_S, num_processed=2)
    assert sweep(ledger).num_requeued == 0
    with ledger.read() as session:
        assert progress(session, lease.job_id).num_in_progress == 2


def test_renewing_a_lost_lease_says_so(ledger: Database):
    job_with(ledger, 4)
    lease = claim(ledger, ANNA)
    assert lease is not None
    expire_leases(ledger)
    sweep(ledger)
    claim(ledger, BERT)
    with ledger.write() as session:
        assert not leasing.renew(session, lease, lease_s=LEASE_S, num_processed=4)


def test_a_released_chunk_is_handed_out_again_and_holds_nothing_against_it(ledger: Database):
    job_with(ledger, 4)
    for _ in range(5):
        lease = claim(ledger)
        assert lease is not None
        with ledger.write() as session:
            assert leasing.release_worker(session, "anna") == 1
    assert sweep(ledger).num_bisected == 0
    with ledger.read() as session:
        assert session.scalars(select(ChunkTable.deaths)).all() == [0]


def test_urgent_overtakes_bulk_at_the_next_claim(ledger: Database):
    bulk = job_with(ledger, 8)
    assert claim(ledger).job_id == bulk
    urgent = job_with(ledger, 4, priority=Priority.URGENT)
    assert claim(ledger, BERT).job_id == urgent
    assert claim(ledger, BERT).job_id == bulk


def test_jobs_of_one_priority_share_workers(ledger: Database):
    first, second = job_with(ledger, 40), job_with(ledger, 40)
    claimed = [claim(ledger, WorkerProfile(f"worker-{n}")).job_id for n in range(6)]
    assert sorted(claimed) == [first] * 3 + [second] * 3


def test_a_worker_is_handed_jobs_whose_backbone_it_holds(ledger: Database):
    cold = job_with(ledger, 8, backbone="vgg16")
    warm = job_with(ledger, 8, backbone="mobilenet")
    profile = WorkerProfile("anna", warm=frozenset({"mobilenet"}))
    assert [claim(ledger, profile).job_id for _ in range(4)] == [warm, warm, cold, cold]


def test_a_cold_job_does_not_starve_behind_a_warm_one(ledger: Database):
    cold = job_with(ledger, 8, backbone="vgg16")
    job_with(ledger, 8, backbone="mobilenet")
    with ledger.write() as session:
        long_ago = JobTable.created_at - 2 * ordering.STARVING_AFTER_S
        session.execute(update(JobTable).where(JobTable.id == cold).values(created_at=long_ago))
    assert claim(ledger, WorkerProfile("anna", warm=frozenset({"mobilenet"}))).job_id == cold


def test_a_worker_is_not_handed_what_it_cannot_load(ledger: Database):
    job_with(ledger, 4, backbone="vgg16")
    assert claim(ledger, WorkerProfile("anna", unavailable=frozenset({"vgg16"}))) is None
    assert claim(ledger, BERT) is not None


def test_a_proposed_chunk_is_handed_out_if_its_job_is_next(ledger: Database):
    job_id = job_with(ledger, 12)
    with ledger.read() as session:
        third = session.scalars(select(ChunkTable.id).where(ChunkTable.job_id == job_id)).all()[2]
    assert claim(ledger, proposed=third).chunk_id == third
    assert claim(ledger, proposed=third).chunk_id != third
    urgent = job_with(ledger, 4, priority=Priority.URGENT)
    assert claim(ledger, proposed=third).job_id == urgent


def test_a_paused_job_hands_out_nothing_until_it_is_resumed(ledger: Database):
    job_id = job_with(ledger, 4)
    with ledger.write() as session:
        assert control.pause(session, job_id)
        assert not control.pause(session, job_id)
    assert claim(ledger) is None
    with ledger.write() as session:
        control.resume(session, job_id)
    assert claim(ledger) is not None


def test_a_job_does_not_end_before_its_planning_has(ledger: Database):
    job_id = accept(ledger)
    plan(ledger, job_id, 4, finish=False)
    assert finish(ledger, claim(ledger))
    assert sweep(ledger).finished_jobs == ()
    with ledger.write() as session:
        accepting.finish_planning(session, job_id, num_skipped=3)
    assert sweep(ledger).finished_jobs == (job_id,)
    assert state_of(ledger, job_id) is JobState.DONE


def test_two_planners_of_one_job_append_each_image_once(ledger: Database):
    job_id = accept(ledger)
    plan(ledger, job_id, 6, finish=False)
    items = [Item("late.jpg", FileLocator("/late.jpg"), "0")]
    with ledger.write() as session:
        assert not accepting.append_items(session, job_id, items, after=0, cursor="x", chunk_size=4)
    with ledger.read() as session:
        assert control.get_job(session, job_id).num_planned == 6
        assert session.scalars(select(func.sum(ChunkTable.num_images))).one() == 6


def test_a_job_that_is_not_there_is_named(ledger: Database):
    with ledger.read() as session, pytest.raises(UnknownJobError, match="no job 99"):
        control.get_job(session, 99)


def test_the_same_request_finds_its_unfinished_job(ledger: Database):
    job_id = job_with(ledger, 4)
    with ledger.read() as session:
        assert accepting.find_unfinished(session, "hash") == job_id
        assert accepting.find_unfinished(session, "another") is None
    finish(ledger, claim(ledger))
    with ledger.read() as session:
        assert accepting.find_unfinished(session, "hash") is None


def test_names_that_are_not_utf8_come_back_as_they_were(ledger: Database):
    names = ["caf\udce9.jpg", "back\\slash.jpg", "new\nline.jpg", 'quo"te,comma.jpg', "\udcff\\xff.jpg"]
    job_id = accept(ledger)
    items = [Item(name, FileLocator(f"/{name}"), name) for name in names]
    with ledger.write() as session:
        accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=8)
    with ledger.read() as session:
        images = list(labelled_images(session, job_id, model_of(ledger, job_id)))
    assert [image.name for image in images] == names


def test_time_moves_within_a_transaction(ledger: Database):
    """A lease that is measured from the start of a long transaction would be short by its length."""
    job_with(ledger, 4)
    with ledger.write() as session:
        before = leasing.claim(session, ANNA, lease_s=0.0)
        assert before is not None
        time.sleep(0.05)
        assert sweeping.sweep(session).num_requeued == 1


def test_a_finish_that_fails_half_way_leaves_nothing(ledger: Database):
    job_id = job_with(ledger, 4)
    lease = claim(ledger)
    twice = outcomes(ledger, lease) * 2
    with pytest.raises(Exception, match=r"(?i)unique"), ledger.write() as session:
        leasing.finish(session, lease, twice)
    assert num_results(ledger, job_id) == 0
    assert finish(ledger, lease)
