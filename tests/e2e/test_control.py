"""Steering jobs with the program: real processes, embedded and with servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from program import MODEL, Cli, kill_with_children, wait_for

from db.schema import HEAD_REVISION

ROOT = Path(__file__).parents[2]
Photographs = Callable[..., Path]


def test_pause_set_priority_resume_and_cancel(cli: Cli, photographs: Photographs):
    photographs(3)
    for name in ("one", "two"):
        cli.json("label", "photographs", "--model", MODEL, "--no-wait", "--top-k", str(len(name) + (name == "two")))
    assert "Job 1 is paused; 0 of 3 images" in cli("jobs", "pause", "1", "2").stdout
    assert "Job 2 is urgent" in cli("jobs", "set-priority", "2", "urgent").stdout
    assert [(job["job_id"], job["state"], job["priority"]) for job in cli.json("jobs")] == [
        (2, "paused", "urgent"),
        (1, "paused", "bulk"),
    ]
    refused = cli("jobs", "resume", "1", "2")
    assert (refused.returncode, "--no-wait" in refused.stderr) == (2, True)
    assert "Job 1 is cancelled" in cli("jobs", "cancel", "1").stdout
    assert cli("jobs", "resume", "1").returncode == 2
    left = cli("jobs", "resume", "2", "--no-wait")
    assert left.returncode == 0, left.stderr
    assert "No worker is running" in left.stdout
    resumed = cli.json("jobs", "resume", "2")
    assert (resumed["state"], resumed["num_predictions"]) == ("done", 3)


@pytest.mark.parametrize(("verb", "exit_code"), [("pause", 130), ("cancel", 1)])
def test_a_command_whose_job_is_stopped_elsewhere_ends_and_says_so(
    cli: Cli, photographs: Photographs, verb: str, exit_code: int
):
    photographs(2000)
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "20")
    wait_for(cli.num_done_chunks, "a finished chunk")
    assert cli("jobs", verb, "1").returncode == 0
    said = running.communicate(timeout=120)[0]
    assert running.returncode == exit_code, said
    assert ("was cancelled" if verb == "cancel" else "jobs resume 1") in said


def test_a_training_that_is_cancelled_stops_and_its_model_stays_unfinished(
    cli: Cli, make_labelled_pictures: Callable[..., Path], tmp_path: Path
):
    make_labelled_pictures(tmp_path / "pictures", num_images=12)
    running = cli.start(
        "train", "pictures", "--name", "parts", "--backbone", MODEL, "--epochs", "10000", "--early-stop", "0"
    )
    wait_for(lambda: cli.query("SELECT 1 FROM epoch"), "an epoch")
    assert "is cancelled" in cli("jobs", "cancel", "1").stdout
    said = running.communicate(timeout=120)[0]
    assert running.returncode == 1, said
    assert "was cancelled" in said
    assert [model["state"] for model in cli.json("models")] == ["cancelled"]
    gone = cli.json("gc", "--yes")
    assert [leftover["kind"] for leftover in gone["leftovers"]] == ["checkpoints"]


def test_gc_asks_first_and_deletes_with_yes(cli: Cli, photographs: Photographs):
    photographs(3)
    for top_k in ("1", "2"):
        cli.json("label", "photographs", "--model", MODEL, "--top-k", top_k)
    assert "Nothing to delete is older than 30d." in cli("gc").stdout
    shown = cli("gc", "--older-than", "0h")
    assert "ended jobs" in shown.stdout
    assert "--yes" in shown.stdout
    assert len(cli.json("jobs")) == 2
    assert "deleted" in cli("gc", "--older-than", "0h", "--yes").stdout
    assert [job["job_id"] for job in cli.json("jobs")] == [2]
    assert "Expected a number with its unit" in cli("gc", "--older-than", "soon").stderr


@pytest.mark.parametrize("mode", ["cli", "cluster"])
def test_a_worker_without_the_gpu_that_was_asked_for_ends_with_3_and_the_job_says_why(
    mode: str, photographs: Photographs, request: pytest.FixtureRequest
):
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    program: Cli = request.getfixturevalue(mode)
    photographs(2)
    program.json("label", "photographs", "--model", MODEL, "--no-wait")
    unfit = program("worker", LABELYARD_DEVICE="gpu")
    assert unfit.returncode == 3, unfit.stderr
    assert "LABELYARD_DEVICE=gpu asks for a GPU" in unfit.stderr
    assert "asks for a GPU" in program.json("jobs", "show", "1")["waits_for"]
    (worker,) = program.json("workers")
    assert (worker["state"], "asks for a GPU" in worker["problems"][0]) == ("gone", True)


def test_an_upgrade_under_a_celery_worker_stops_its_claims_and_it_says_so(cluster: Cli, photographs: Photographs):
    photographs(2)
    worker = cluster.start("worker", LABELYARD_SWEEP_INTERVAL_S="1", LABELYARD_LOG_LEVEL="INFO")
    wait_for(lambda: cluster.json("workers"), "a worker")
    psql(cluster, "UPDATE alembic_version SET version_num = '9999'")
    refused = cluster("label", "photographs", "--model", MODEL, "--no-wait")
    assert refused.returncode == 3
    psql(cluster, f"UPDATE alembic_version SET version_num = '{HEAD_REVISION}'")
    cluster.json("label", "photographs", "--model", MODEL, "--no-wait")
    wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the job's end")
    kill_with_children(worker)
    assert worker.stdout is not None
    assert "schema 9999 while this process ran" in worker.stdout.read()


def test_workers_share_their_time_between_a_long_and_a_short_job(environment: dict[str, str], cli: Cli, tmp_path: Path):
    """A 10,000-chunk job, then a 10-chunk job behind it; one embedded worker that reads and computes nothing."""
    # So long that it is not over before the short one is accepted, however slow the machine is at that moment.
    for name, num_images in (("long", 40_000), ("short", 40)):
        (tmp_path / f"{name}.txt").write_text("".join(f"/nowhere/{number}.jpg\n" for number in range(num_images)))
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.noop"], cwd=ROOT, env=environment, start_new_session=True
    )
    try:
        options = ("--model", MODEL, "--chunk-size", "4", "--no-features", "--no-wait")
        cli.json("label", "long.txt", *options)
        wait_for(cli.num_done_chunks, "a finished chunk")
        cli.json("label", "short.txt", *options)
        wait_for(lambda: cli.json("jobs", "show", "2")["state"] == "done", "the end of the short job")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    (between,) = cli.query(
        "SELECT count(*) FROM chunk WHERE job_id = 1 AND state = 'done' "
        "AND finished_at >= (SELECT min(claimed_at) FROM chunk WHERE job_id = 2) "
        "AND finished_at <= (SELECT max(finished_at) FROM chunk WHERE job_id = 2)",
    )[0]
    assert 5 <= between <= 20, "of three chunks that were done meanwhile, at most two were of the long job"


def psql(cluster: Cli, sql: str) -> None:
    with psycopg.connect(cluster.env["LABELYARD_DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.execute(sql)
