"""What an orchestrator shows of the ledger, on SQLite and on PostgreSQL."""

import time

import pytest
from ledger_steps import ANNA, BERT, accept, claim, expire_leases, finish, job_with, plan, sweep
from prometheus_client.parser import text_string_to_metric_families
from promtool import require_clean
from sqlalchemy import update

from core.jobs import SweepReport
from core.settings import Settings
from core.types import JobKind, Priority
from db.clock import read_now
from db.database import Database
from db.ledger import control
from db.ledger.counts import finished_between
from db.schedules import NewSchedule, add_schedule
from db.tables import ChunkTable
from db.workers import WorkerIdentity, WorkerReport, report, stop
from orchestrator.metrics import collector, snapshot
from orchestrator.metrics.registry import OrchestratorMetrics

BULK, URGENT = Priority.BULK, Priority.URGENT


@pytest.fixture
def metrics(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> OrchestratorMetrics:
    """Looks at the ledger whenever it is asked, and takes what was finished for committed."""
    monkeypatch.setattr(collector, "FRESH_S", 0.0)
    monkeypatch.setattr(collector, "REST_FACTOR", 0.0)
    monkeypatch.setattr(snapshot, "COMMIT_S", 0.0)
    return OrchestratorMetrics(ledger, Settings())


def value(metrics: OrchestratorMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"labelyard_{name}", labels)


def queued(metrics: OrchestratorMetrics, what: str = "chunks", **labels: str) -> float | None:
    wanted = {"kind": "label", "priority": "bulk", "state": "queued"} | labels
    return value(metrics, f"queue_{what}", **wanted)


def test_an_empty_ledger_shows_every_label_with_nothing(metrics: OrchestratorMetrics):
    assert value(metrics, "ledger_up") == 1
    assert queued(metrics) == 0
    assert queued(metrics, "images", kind="train", priority="urgent", state="leased") == 0
    assert value(metrics, "jobs", kind="retrain", state="failed") == 0
    assert value(metrics, "workers", state="working") == 0
    assert value(metrics, "leases_overdue") == 0


def test_the_queue_is_shown_by_kind_priority_and_state(ledger: Database, metrics: OrchestratorMetrics):
    job_with(ledger, 10)
    job_with(ledger, 5, priority=URGENT)
    accept(ledger, kind=JobKind.TRAIN)
    assert (queued(metrics), queued(metrics, "images")) == (3, 10)
    assert (queued(metrics, priority="urgent"), queued(metrics, "images", priority="urgent")) == (2, 5)
    assert claim(ledger) is not None
    assert (queued(metrics, priority="urgent"), queued(metrics, priority="urgent", state="leased")) == (1, 1)
    assert value(metrics, "jobs", kind="label", state="running") == 2
    assert value(metrics, "jobs", kind="train", state="running") == 1


def test_chunks_of_a_paused_job_are_nobodys_to_do_but_for_those_that_workers_have(
    ledger: Database, metrics: OrchestratorMetrics
):
    job_id = job_with(ledger, 12)
    claim(ledger)
    with ledger.write() as session:
        control.pause(session, job_id)
    assert (queued(metrics), queued(metrics, state="leased")) == (0, 1)
    assert value(metrics, "jobs", kind="label", state="paused") == 1


def test_expired_leases_are_overdue_until_they_are_swept_and_the_death_stays(
    ledger: Database, metrics: OrchestratorMetrics
):
    job_with(ledger, 4)
    claim(ledger)
    assert value(metrics, "leases_overdue") == 0
    expire_leases(ledger)
    assert value(metrics, "leases_overdue") == 1
    sweep(ledger)
    assert value(metrics, "leases_overdue") == 0
    assert queued(metrics, "worker_deaths") == 1


def test_finished_images_are_counted_once_from_the_first_look_on(ledger: Database, metrics: OrchestratorMetrics):
    job_with(ledger, 12)
    assert finish(ledger, claim(ledger))
    assert value(metrics, "images_labelled_total", kind="label") == 0
    # SQLite's clock counts milliseconds.
    time.sleep(0.01)
    assert finish(ledger, claim(ledger), bad=[5])
    counts = [
        (value(metrics, "images_labelled_total", kind="label"), value(metrics, "image_errors_total", kind="label"))
        for _ in range(3)
    ]
    assert counts == [(3, 1)] * 3
    assert value(metrics, "chunks_finished_total", kind="label") == 1
    assert value(metrics, "images_labelled_total", kind="evaluate") == 0


def test_a_second_try_of_images_counts_what_it_came_to(ledger: Database):
    job_id = job_with(ledger, 4)
    assert finish(ledger, claim(ledger), bad=[0, 1, 2])
    with ledger.write() as session:
        between = read_now(session)
        assert control.retry_errors(session, job_id, chunk_size=4) == 3
    time.sleep(0.01)
    assert finish(ledger, claim(ledger), bad=[1])
    with ledger.read() as session:
        (first,) = finished_between(session, 0.0, between)
        (second,) = finished_between(session, between, read_now(session))
    assert (first.num_labelled, first.num_errors) == (1, 3)
    assert (second.num_labelled, second.num_errors) == (2, 1)


def test_trainings_are_no_labelled_images(ledger: Database):
    job_id = accept(ledger, kind=JobKind.TRAIN)
    plan(ledger, job_id, 4)
    assert finish(ledger, claim(ledger))
    with ledger.read() as session:
        assert finished_between(session, 0.0, read_now(session)) == []


def test_workers_are_shown_by_what_they_do(ledger: Database, metrics: OrchestratorMetrics):
    job_with(ledger, 4)
    claim(ledger, ANNA)
    with ledger.write() as session:
        for name, said in (
            (ANNA.worker_id, WorkerReport()),
            (BERT.worker_id, WorkerReport()),
            ("carl", WorkerReport(problems={"vgg16": "no weights"})),
            ("dora", WorkerReport()),
        ):
            report(session, WorkerIdentity(name, "here", 1), said)
        stop(session, "dora")
    shown = {state: value(metrics, "workers", state=state) for state in ("working", "idle", "declining", "gone")}
    assert shown == {"working": 1, "idle": 1, "declining": 1, "gone": 1}
    with ledger.write() as session:
        session.execute(update(ChunkTable).values(lease_expires_at=0))
    assert value(metrics, "workers", state="frozen") == 1


def test_a_fire_time_that_nobody_considered_is_overdue(ledger: Database, metrics: OrchestratorMetrics):
    assert value(metrics, "schedule_overdue_seconds") == 0
    with ledger.write() as session:
        now = read_now(session)
        add_schedule(session, hourly("on time"), at_s=now)
    assert value(metrics, "schedule_overdue_seconds") == 0
    with ledger.write() as session:
        # As if it had been added three hours ago, and nobody had looked since.
        add_schedule(session, hourly("late"), at_s=now - 3 * 3600)
    overdue = value(metrics, "schedule_overdue_seconds")
    assert overdue is not None
    assert 2 * 3600 <= overdue <= 3 * 3600


def hourly(name: str) -> NewSchedule:
    return NewSchedule(name, "insects", "0 * * * *", "UTC", "macro_f1 >= champion")


def test_what_this_process_did_is_shown_once_it_did_it(metrics: OrchestratorMetrics):
    assert value(metrics, "schedule_last_tick_timestamp_seconds") is None
    metrics.ticked()
    at_s = value(metrics, "schedule_last_tick_timestamp_seconds")
    assert at_s == pytest.approx(time.time(), abs=60)
    assert value(metrics, "schedule_ticks_total") == 1
    metrics.swept(SweepReport(num_bisected=2))
    assert value(metrics, "leases_expired_total", fate="bisected") == 2


def test_the_ledger_is_asked_once_by_those_who_look_at_about_the_same_time(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(collector, "FRESH_S", 3600.0)
    metrics = OrchestratorMetrics(ledger, Settings())
    assert queued(metrics) == 0
    job_with(ledger, 4)
    assert queued(metrics) == 0
    monkeypatch.setattr(collector, "FRESH_S", 0.0)
    monkeypatch.setattr(collector, "REST_FACTOR", 0.0)
    assert queued(OrchestratorMetrics(ledger, Settings())) == 1


def test_promtool_finds_nothing_wrong_and_every_family_is_shown_once(ledger: Database, metrics: OrchestratorMetrics):
    job_with(ledger, 4)
    metrics.ticked()
    text = metrics.exposition()
    require_clean("check", "metrics", given=text)
    names = [family.name for family in text_string_to_metric_families(text.decode())]
    assert len(names) == len(set(names))
