"""The same commands with a real Redis, a real PostgreSQL and real Celery workers."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from program import MODEL, Cli, kill_with_children, wait_for
from sqlalchemy import text

from core.queues import MAX_WAKE_UPS, Queue
from db.database import Database

Photographs = Callable[..., Path]
# Leases that run out soon, so that a test need not wait half a minute.
QUICK = {"LABELYARD_LEASE_S": "4", "LABELYARD_SWEEP_INTERVAL_S": "1"}


@pytest.fixture
def ledger(cluster: Cli):
    database = Database(cluster.env["LABELYARD_DATABASE_URL"])
    yield database
    database.close()


def num_workers(ledger: Database) -> int:
    with ledger.read() as session:
        return session.scalars(text("SELECT count(*) FROM worker")).one()


def start_workers(cluster: Cli, ledger: Database, number: int, **env: str) -> list[subprocess.Popen[str]]:
    workers = [cluster.start("worker", "--preload", MODEL, **env) for _ in range(number)]
    wait_for(lambda: num_workers(ledger) >= number, f"{number} workers")
    return workers


def test_two_celery_workers_share_a_job_and_the_results_equal_the_embedded_ones(
    cluster: Cli, cli: Cli, ledger: Database, photographs: Photographs
):
    photographs(120)
    start_workers(cluster, ledger, 2)
    arguments = ("label", "photographs", "--model", MODEL, "--chunk-size", "10")
    summary = cluster.json(*arguments, "--out", "cluster.csv")
    assert (summary["num_images"], summary["num_errors"], summary["state"]) == (120, 0, "done")
    assert [worker["backbone_loads"] for worker in summary["workers"]] == [{MODEL: 1}, {MODEL: 1}]
    cli.json(*arguments, "--out", "embedded.csv")
    assert (cli.cwd / "cluster.csv").read_bytes() == (cli.cwd / "embedded.csv").read_bytes()


def test_wake_ups_that_were_lost_are_sent_again(
    cluster: Cli, ledger: Database, photographs: Photographs, redis_url: str
):
    photographs(20)
    cluster("label", "photographs", "--model", MODEL, "--chunk-size", "5", "--no-wait")
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(Queue.LABEL) == 4
        client.flushdb()
    start_workers(cluster, ledger, 1, **QUICK)
    wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the job's end")


def test_redis_holds_a_bounded_number_of_wake_ups_that_carry_ids_alone(
    cluster: Cli, photographs: Photographs, redis_url: str
):
    photographs(3 * MAX_WAKE_UPS)
    cluster("label", "photographs", "--model", MODEL, "--chunk-size", "1", "--no-wait")
    with redis.Redis.from_url(redis_url) as client:
        messages = client.lrange(Queue.LABEL, 0, -1)
    assert len(messages) == MAX_WAKE_UPS
    assert json.loads(messages[0])["headers"]["kwargsrepr"].startswith("{'job': 1, 'chunk': ")


def test_a_worker_without_the_weights_says_so_and_leaves_the_work(
    cluster: Cli, ledger: Database, photographs: Photographs, tmp_path: Path
):
    photographs(2)
    log = {"LABELYARD_LOG_LEVEL": "INFO", "LABELYARD_SWEEP_INTERVAL_S": "1"}
    unable = cluster.start("worker", KERAS_HOME=str(tmp_path / "no-weights"), **log)
    cluster("label", "photographs", "--model", MODEL, "--no-wait")
    job = wait_for(
        lambda: (
            (found := cluster.json("jobs", "show", "1"))["waits_for"]
            and "mobilenet_2_5" in found["waits_for"]
            and found
        ),
        "the reason to wait",
    )
    assert job["state"] == "running"
    assert job["num_errors"] == 0
    time.sleep(5)
    kill_with_children(unable)
    assert unable.stdout is not None
    num_idle = unable.stdout.read().count("nothing_to_do")
    assert num_idle < 30, "it is woken by sweeps, once a second, and not by itself"
    start_workers(cluster, ledger, 1)
    wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the job's end")
