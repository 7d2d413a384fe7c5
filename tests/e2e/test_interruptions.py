"""Jobs that are stopped, killed, paused, retried or left to others, embedded."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from program import MODEL, Cli, read_csv, wait_for

from db.database import Database
from db.ledger import control

Photographs = Callable[..., Path]


def test_ctrl_c_leaves_a_job_that_the_same_command_finishes(cli: Cli, photographs: Photographs):
    photographs(400)
    command = ("label", "photographs", "--model", MODEL, "--chunk-size", "20", "--out", "o.csv")
    running = cli.start(*command)
    done_before = wait_for(cli.num_done_chunks, "a finished chunk")
    os.kill(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 130, said
    assert "jobs resume 1" in said
    job = cli.json("jobs", "show", "1")
    assert job["state"] == "paused"
    assert "jobs resume 1" in job["waits_for"]
    assert not (cli.cwd / "o.csv").exists()
    attempts = attempts_of_done_chunks(cli)
    assert len(attempts) >= done_before

    again = cli(*command)
    assert again.returncode == 0, again.stderr
    assert "Going on with job 1" in again.stderr
    assert len(read_csv(cli.cwd / "o.csv")) == 400
    assert len(cli.json("jobs")) == 1
    assert attempts.items() <= attempts_of_done_chunks(cli).items(), "finished chunks are not done again"


def test_a_job_that_someone_else_pauses_writes_no_file_and_ends_with_130(cli: Cli, photographs: Photographs):
    photographs(1000)
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "10", "--out", "o.csv")
    wait_for(cli.num_done_chunks, "a finished chunk")
    database = Database(f"sqlite:///{cli.env['LABELYARD_HOME']}/labelyard.db")
    with database.write() as session:
        assert control.pause(session, 1)
    database.close()
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 130, said
    assert "jobs resume 1" in said
    assert not (cli.cwd / "o.csv").exists()


def test_a_job_without_room_for_its_rows_says_so_and_waits(cli: Cli, photographs: Photographs):
    photographs(5)
    running = cli.start("label", "photographs", "--model", MODEL, LABELYARD_MIN_FREE_BYTES=str(2**60))
    assert running.stdout is not None
    said = next(line for line in running.stdout if line.startswith("Waiting: "))
    assert "make space, and work goes on by itself" in said
    full = {"LABELYARD_MIN_FREE_BYTES": str(2**60)}
    shown = cli("jobs", "show", "1", "--json", **full)
    assert "LABELYARD_MIN_FREE_BYTES" in json.loads(shown.stdout)["waits_for"], shown.stderr
    os.kill(running.pid, signal.SIGINT)
    assert running.wait(60) == 130
    assert cli.json("jobs", "resume", "1")["num_predictions"] == 5


def test_jobs_resume_finishes_what_a_killed_command_left(cli: Cli, photographs: Photographs):
    photographs(300)
    quick = {"LABELYARD_LEASE_S": "2", "LABELYARD_SWEEP_INTERVAL_S": "1"}
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "20", **quick)
    wait_for(cli.num_done_chunks, "a finished chunk")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    done = cli("jobs", "resume", "1", "--out", "o.csv", **quick)
    assert done.returncode == 0, done.stderr
    assert len(read_csv(cli.cwd / "o.csv")) == 300


def test_a_killed_worker_process_is_replaced_and_every_image_has_one_row(cli: Cli, photographs: Photographs):
    photographs(400)
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "50", "--out", "o.csv")
    worker = wait_for(lambda: worker_of_a_leased_chunk(cli), "a leased chunk")
    os.kill(worker, signal.SIGKILL)
    said = running.communicate(timeout=120)[0]
    assert running.returncode == 0, said
    rows = read_csv(cli.cwd / "o.csv")
    assert len({row["image"] for row in rows}) == len(rows) == 400
    assert all(row["label"] for row in rows)


def test_retry_mends_the_images_that_can_be_read_by_now(cli: Cli, photographs: Photographs):
    folder = photographs(3)
    good = (folder / "00001.jpg").read_bytes()
    (folder / "00001.jpg").write_bytes(good[: len(good) // 2])
    (folder / "00002.jpg").write_bytes(b"")
    assert cli.json("label", "photographs", "--model", MODEL)["errors"] == {"empty_file": 1, "truncated": 1}
    (folder / "00001.jpg").write_bytes(good)
    retried = cli.json("jobs", "retry", "1")
    assert (retried["num_predictions"], retried["num_errors"], retried["errors"]) == (2, 1, {"empty_file": 1})


def test_no_wait_leaves_the_work_to_a_worker(cli: Cli, photographs: Photographs):
    photographs(5)
    accepted = cli.json("label", "photographs", "--model", MODEL, "--no-wait")
    assert (accepted["state"], accepted["num_images"], accepted["is_planned"]) == ("running", 5, True)
    assert "labelyard worker" in accepted["waits_for"]
    worker = cli.start("worker")
    wait_for(lambda: cli.json("jobs", "show", "1")["state"] == "done", "the job's end")
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(30) == 0


def attempts_of_done_chunks(cli: Cli) -> dict[int, int]:
    return dict(cli.query("SELECT id, attempt FROM chunk WHERE state = 'done'"))


def worker_of_a_leased_chunk(cli: Cli) -> int | None:
    rows = cli.query(
        "SELECT worker.pid FROM chunk JOIN worker ON worker.id = chunk.worker_id "
        "WHERE chunk.state = 'leased' AND EXISTS (SELECT 1 FROM chunk AS other WHERE other.state = 'done')",
    )
    return rows[0][0] if rows else None
