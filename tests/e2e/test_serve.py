"""`labelyard serve` in real processes: it looks after jobs, ends when it is told to, and may be killed at any time."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from foreign import call, foreign_messages, headers, log_of, message
from program import MODEL, Cli, kill_with_children, read_csv, wait_for, wait_for_workers

from core.queues import MAX_TICKS, SCHEDULE_QUEUE, TICK_TASK

QUIET = {"LABELYARD_LOG_FORMAT": "json", "LABELYARD_SWEEP_INTERVAL_S": "1", "LABELYARD_TICK_S": "0.5"}
# Celery says at this level that a task has succeeded.
TALKING = QUIET | {"LABELYARD_LOG_LEVEL": "INFO"}
STOP_TIMEOUT_S = 30

Photographs = Callable[..., Path]


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def stop(served: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
    """End an orchestrator as systemd does, and see that it ends well."""
    os.kill(served.pid, number)
    said = served.communicate(timeout=STOP_TIMEOUT_S)[0]
    assert served.returncode == 0, said
    assert "Traceback" not in said
    return said


def accept(cli: Cli, name: str, *options: str) -> None:
    done = cli("label", name, "--model", MODEL, "--no-wait", *options)
    assert done.returncode == 0, done.stderr


def state_of(cli: Cli, job_id: int) -> str:
    return cli.json("jobs", "show", str(job_id))["state"]


def images_of(cli: Cli, job_id: int) -> list[str]:
    assert cli("export", str(job_id), "--out", "o.csv").returncode == 0
    return [row["image"] for row in read_csv(cli.cwd / "o.csv")]


def wait_for_line(served: subprocess.Popen[str], words: str, *, times: int = 1) -> str:
    """Read what an orchestrator says until it has said something so many times; returns the last such line."""
    assert served.stdout is not None
    for line in served.stdout:
        times -= words in line
        if times == 0:
            return line
    raise AssertionError(f"It ended and had not said {words!r}.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_it_does_and_ends_well_when_it_is_told_to(cli: Cli, number: signal.Signals):
    served = cli.start("serve", **QUIET)
    for words in ("dispatcher", "sweeper", "scheduler", "workers", "Serving sqlite:///"):
        wait_for_line(served, words)
    assert "Stopped" in stop(served, number)


def test_a_second_signal_ends_it_at_once(cli: Cli):
    served = cli.start("serve", **QUIET | {"LABELYARD_LOG_LEVEL": "INFO"})
    (worker,) = wait_for(lambda: cli.query("SELECT pid FROM worker"), "its worker")[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        os.kill(served.pid, signal.SIGTERM)
        wait_for_line(served, "serving_stops")
        os.kill(served.pid, signal.SIGTERM)
        assert served.wait(STOP_TIMEOUT_S) == -signal.SIGTERM, "it does not wait for the worker that hangs"
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_job_that_nobody_waits_for_is_done(cli: Cli, photographs: Photographs):
    photographs(30)
    accept(cli, "photographs", "--chunk-size", "10")
    served = cli.start("serve", **QUIET)
    wait_for(lambda: state_of(cli, 1) == "done", "the job's end")
    stop(served)
    assert len(set(images_of(cli, 1))) == 30


def test_killed_in_the_middle_it_leaves_a_job_that_the_next_one_ends_with_one_row_each(
    cli: Cli, photographs: Photographs
):
    photographs(600)
    accept(cli, "photographs", "--chunk-size", "10", "--no-features")
    served = cli.start("serve", **QUIET)
    wait_for(cli.num_done_chunks, "a finished chunk")
    kill_with_children(served)
    assert state_of(cli, 1) == "running"
    served = cli.start("serve", **QUIET, LABELYARD_LEASE_S="2")
    wait_for(lambda: state_of(cli, 1) == "done", "the job's end")
    stop(served)
    images = images_of(cli, 1)
    assert len(images) == len(set(images)) == 600


def test_an_evaluation_that_nobody_waits_for_is_measured(cli: Cli, make_labelled_pictures: Callable[..., Path]):
    make_labelled_pictures(cli.cwd / "pictures", num_images=12)
    cli.json("train", "pictures", "--name", "shapes", "--backbone", MODEL)
    command = cli.start("evaluate", "shapes", "--on", "pictures")
    wait_for(lambda: cli.query("SELECT id FROM job WHERE kind = 'evaluate'"), "the job")
    kill_with_children(command)
    measured = "SELECT accuracy FROM evaluation WHERE job_id IN (SELECT id FROM job WHERE kind = 'evaluate')"
    assert not cli.query(measured)
    served = cli.start("serve", **QUIET, LABELYARD_LEASE_S="2")
    wait_for(lambda: cli.query(measured), "its figures")
    stop(served)


def test_two_orchestrators_share_ticks_and_leave_no_heap_of_them(
    cluster: Cli, broker: redis.Redis, photographs: Photographs
):
    photographs(20)
    worker = cluster.start("worker", "--preload", MODEL, **QUIET)
    wait_for_workers(cluster)
    served = [cluster.start("serve", **TALKING) for _ in range(2)]
    for one in served:
        wait_for_line(one, "beat")
        assert ":***@" in wait_for_line(one, "Serving postgresql")
    accept(cluster, "photographs")
    for one in served:
        wait_for_line(one, f"Task {TICK_TASK}[", times=3)
    wait_for(lambda: state_of(cluster, 1) == "done", "the job's end")
    for one in served:
        stop(one)
    assert broker.llen(SCHEDULE_QUEUE) <= MAX_TICKS + 1
    assert broker.hlen(f"{SCHEDULE_QUEUE}.unacked") == 0
    assert worker.poll() is None


def test_foreign_messages_among_the_ticks_are_dropped(cluster: Cli, broker: redis.Redis, tmp_path: Path):
    served = cluster.start("serve", **QUIET)
    wait_for_line(served, "Serving postgresql")
    marker = tmp_path / "marker"
    honest_but_for_its_arguments = message(call(), headers=headers(task=TICK_TASK))
    foreign = [*foreign_messages(marker).values(), honest_but_for_its_arguments, message()]
    for sent in foreign:
        broker.lpush(SCHEDULE_QUEUE, sent)
    wait_for(lambda: broker.llen(SCHEDULE_QUEUE) == 0, "an empty queue")
    assert not marker.exists()
    lines = log_of(served)
    dropped = [line for line in lines if line["event"] == "message_dropped"]
    assert len(dropped) == len(foreign), [line["problem"] for line in dropped]
    assert not [line for line in lines if "exception" in line or line["level"] in ("error", "critical")]


def test_a_folder_that_may_be_read_and_is_not_there_is_named_once(cli: Cli, tmp_path: Path):
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    served = cli.start("serve", **QUIET, LABELYARD_SOURCE_ROOTS=f"{there},{gone},s3://bucket/photos")
    said = json.loads(wait_for_line(served, "source_roots_missing"))
    assert (said["level"], said["roots"]) == ("warning", str(gone))
    wait_for_line(served, "Serving sqlite:///")
    assert "source_roots_missing" not in stop(served)
