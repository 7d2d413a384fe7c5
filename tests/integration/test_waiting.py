"""What a job says that it waits for, and what workers say of themselves. On both databases."""

import os
from pathlib import Path

import pytest
from ledger_steps import accept, claim, expire_leases, finish, job_with, plan
from program import Cli
from sqlalchemy import text, update

from core.errors import SchemaError
from core.jobs import WorkerProfile
from core.settings import Settings
from core.types import JobKind, JobState, Priority
from db.database import Database
from db.ledger import control
from db.tables import ChunkTable, JobTable, WorkerTable
from db.workers import WorkerIdentity, WorkerReport, report, report_unfit, stop
from orchestrator.fleet import WorkerState, WorkerStatus, list_fleet
from orchestrator.summary import summarise
from orchestrator.waiting import Surroundings, surroundings
from workers.sweeper import LeaseSweep


def start(ledger: Database, name: str, **said: object) -> None:
    with ledger.write() as session:
        report(session, WorkerIdentity(name, "here", 1), WorkerReport(**said))


def waits_for(ledger: Database, job_id: int, around: Surroundings | None = None) -> str | None:
    with ledger.read() as session:
        return summarise(session, job_id, around=around).waits_for


def fleet(ledger: Database, **options: bool) -> dict[str, WorkerStatus]:
    with ledger.read() as session:
        return {worker.id: worker for worker in list_fleet(session, **options)}


def test_a_job_without_a_worker_says_how_to_start_one(ledger: Database):
    assert waits_for(ledger, job_with(ledger, 4)) == "No worker is running. `labelyard worker` starts one."


def test_without_a_broker_the_orchestrator_brings_workers_too(ledger: Database):
    job_id = job_with(ledger, 4)
    assert f"`labelyard serve`, `labelyard worker` or `labelyard jobs resume {job_id}` starts one" in str(
        waits_for(ledger, job_id, Surroundings(is_embedded=True))
    )


def test_a_worker_that_could_not_begin_is_named_with_its_reason(ledger: Database):
    with ledger.write() as session:
        report_unfit(session, WorkerIdentity("anna", "here", 1), "There is no GPU.")
    assert "The last one, anna, ended: There is no GPU." in str(waits_for(ledger, job_with(ledger, 4)))
    assert fleet(ledger)["anna"].state is WorkerState.GONE
    assert fleet(ledger)["anna"].problems == ["There is no GPU."]


def test_workers_that_were_started_for_other_work_do_not_count(ledger: Database):
    start(ledger, "anna", kinds={JobKind.LABEL})
    assert "--queues train" in str(waits_for(ledger, job_with(ledger, 4, kind=JobKind.TRAIN)))
    assert waits_for(ledger, job_with(ledger, 4)) is None


def test_workers_that_all_decline_are_each_asked_why(ledger: Database):
    job_id = job_with(ledger, 4)
    start(ledger, "anna", problems={"mobilenet": "No weights."})
    assert waits_for(ledger, job_id) == "The one worker that runs declines it: No weights."
    start(ledger, "bert", declines="Too old.")
    assert waits_for(ledger, job_id) == "All 2 workers decline it. anna: No weights. bert: Too old."
    assert {name: worker.state for name, worker in fleet(ledger).items()} == {
        "anna": WorkerState.DECLINING,
        "bert": WorkerState.DECLINING,
    }
    start(ledger, "carl", problems={"vgg16": "No weights."})
    assert waits_for(ledger, job_id) is None


def test_a_job_behind_others_names_them(ledger: Database):
    start(ledger, "anna")
    first, second = job_with(ledger, 4, priority=Priority.URGENT), job_with(ledger, 4)
    job_id = job_with(ledger, 4)
    for expected in (first, second):
        assert claim(ledger, WorkerProfile("anna")).job_id == expected
    assert waits_for(ledger, job_id) == (
        f"All workers are busy with other jobs: job {first} (urgent), job {second}. It is next when one ends a chunk."
    )


def test_leases_that_nobody_renews_are_called_silent(ledger: Database):
    start(ledger, "anna")
    job_id = job_with(ledger, 4)
    claim(ledger)
    assert waits_for(ledger, job_id) is None
    assert "gone silent" in str(waits_for(ledger, job_id, Surroundings(lease_s=100.0)))
    expire_leases(ledger)
    assert "at the next sweep" in str(waits_for(ledger, job_id))
    assert fleet(ledger)["anna"].state is WorkerState.FROZEN


def test_a_paused_job_gives_the_reason(ledger: Database):
    job_id = job_with(ledger, 4)
    with ledger.write() as session:
        control.pause(session, job_id, reason="The disk is full.")
    assert waits_for(ledger, job_id) == (
        f"The job is paused: The disk is full. `labelyard jobs resume {job_id}` goes on with it."
    )


def test_a_job_whose_images_were_not_all_found_says_so(ledger: Database):
    job_id = accept(ledger)
    plan(ledger, job_id, 4, finish=False)
    assert finish(ledger, claim(ledger))
    assert "not all been found" in str(waits_for(ledger, job_id))


def test_a_server_that_is_asked_does_not_wait_for_images_that_it_is_looking_for_itself(ledger: Database):
    job_id = accept(ledger)
    start(ledger, "anna")
    assert waits_for(ledger, job_id, Surroundings(is_planning=True)) is None
    assert "not all been found" in str(waits_for(ledger, job_id))


def test_a_broker_that_does_not_answer_is_named(ledger: Database):
    job_id = job_with(ledger, 4)
    start(ledger, "anna")
    settings = Settings(broker_url="redis://127.0.0.1:1/0")
    said = str(waits_for(ledger, job_id, surroundings(settings, ledger)))
    assert said.startswith("Workers cannot be woken. The broker does not answer")
    assert waits_for(ledger, job_id, surroundings(Settings(), ledger)) is None


def test_a_job_that_has_ended_waits_for_nothing(ledger: Database):
    job_id = job_with(ledger, 4)
    finish(ledger, claim(ledger))
    assert waits_for(ledger, job_id) is None


def test_the_time_left_follows_from_the_chunks_that_were_finished_last(ledger: Database):
    job_id = job_with(ledger, 400)
    assert seconds_left(ledger, job_id) is None
    start(ledger, "anna")
    for _ in range(50):
        finish(ledger, claim(ledger))
    claim(ledger)
    with ledger.write() as session:
        # One chunk of four images each second, the last one a moment ago; the first fifteen took ten seconds each.
        (last,) = session.execute(text("SELECT max(id) FROM chunk WHERE state = 'done'")).one()
        now = session.scalars(text("SELECT max(finished_at) FROM chunk")).one()
        ended_at = now - (last - ChunkTable.id) * 1.0
        session.execute(update(ChunkTable).where(ChunkTable.state == "done").values(finished_at=ended_at))
        session.execute(update(JobTable).values(started_at=now - 1000))
    left = seconds_left(ledger, job_id)
    assert left is not None
    assert 45 <= left <= 100, "fifty chunks are owed, at about one a second"
    with ledger.write() as session:
        control.pause(session, job_id)
    assert seconds_left(ledger, job_id) is None


def seconds_left(ledger: Database, job_id: int) -> float | None:
    with ledger.read() as session:
        return summarise(session, job_id).seconds_left


def test_a_worker_is_working_idle_frozen_or_gone_and_long_gone_ones_are_hidden(ledger: Database):
    for name in ("anna", "bert", "carl", "dora", "emil"):
        start(ledger, name, warm=["mobilenet"], device="openvino on a chip")
    job_with(ledger, 8)
    finish(ledger, claim(ledger, WorkerProfile("anna")))
    claim(ledger, WorkerProfile("anna"))
    with ledger.write() as session:
        stop(session, "carl")
        for name, silent_s in (("dora", 100), ("emil", 10_000)):
            silent = {"seen_at": WorkerTable.seen_at - silent_s}
            session.execute(update(WorkerTable).where(WorkerTable.id == name).values(silent))
    found = fleet(ledger)
    assert {name: str(worker.state) for name, worker in found.items()} == {
        "anna": "working",
        "bert": "idle",
        "carl": "gone",
        "dora": "frozen",
    }
    assert fleet(ledger, all_of_them=True)["emil"].state is WorkerState.GONE
    anna = found["anna"]
    assert [(one.num_processed, one.num_images) for one in anna.chunks] == [(0, 4)]
    assert anna.rates[-1] > 0
    assert anna.images_per_s > 0
    assert (anna.warm, anna.device) == (["mobilenet"], "openvino on a chip")
    assert found["carl"].warm == []


def test_workers_are_printed_for_people_and_for_programs(ledger: Database, database_url: str, tmp_path: Path):
    # In a process of its own: a command sets up logging for the whole of its process.
    cli = Cli(os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}, tmp_path)
    assert "No worker is running" in cli("workers").stdout
    start(ledger, "anna", problems={"vgg16": "No weights of it."})
    said = cli("workers").stdout
    assert "declining" in said
    assert "anna: No weights of it." in said
    (worker,) = cli.json("workers")
    assert (worker["id"], worker["state"], len(worker["rates"])) == ("anna", "declining", 20)


def test_a_sweep_notices_that_the_database_was_upgraded(ledger: Database):
    job_id = job_with(ledger, 4)
    claim(ledger)
    expire_leases(ledger)
    with ledger.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="schema 9999 while this process ran"):
        LeaseSweep(ledger, lease_s=30.0).once(["anna"])
    with ledger.read() as session:
        assert session.scalars(text("SELECT count(*) FROM chunk WHERE state = 'leased'")).one() == 1
        assert control.get_job(session, job_id).state is JobState.RUNNING
