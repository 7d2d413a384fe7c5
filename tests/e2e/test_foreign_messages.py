"""Whatever lies in the broker: a worker drops it with one line in the log, and the next honest job ends well."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from celery import Celery
from foreign import call, foreign_messages, headers, log_of, message
from program import MODEL, Cli, wait_for, wait_for_workers

from core.queues import LABEL_CHUNK_TASK, Queue

QUIET = {"LABELYARD_LOG_FORMAT": "json", "LABELYARD_SWEEP_INTERVAL_S": "1"}


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def worker(cluster: Cli) -> subprocess.Popen[str]:
    worker = cluster.start("worker", "--preload", MODEL, **QUIET)
    wait_for_workers(cluster)
    return worker


def label(cluster: Cli, name: str) -> None:
    summary = cluster.json("label", name, "--model", MODEL)
    assert (summary["state"], summary["num_errors"]) == ("done", 0)


def test_foreign_messages_are_dropped_with_a_line_each_and_honest_jobs_end_well(
    cluster: Cli,
    worker: subprocess.Popen[str],
    broker: redis.Redis,
    photographs: Callable[..., Path],
    tmp_path: Path,
):
    photographs(4)
    marker = tmp_path / "marker"
    foreign = foreign_messages(marker)
    for number, sent in enumerate(foreign.values()):
        broker.lpush(Queue.LABEL, sent)
        if number == len(foreign) // 2:
            label(cluster, "photographs")
    wait_for(lambda: broker.llen(Queue.LABEL) == 0, "an empty queue")
    label(cluster, "photographs")
    assert not marker.exists()
    assert broker.hlen("unacked") == 0, "nothing comes back"
    lines = log_of(worker)
    dropped = [line for line in lines if line["event"] == "message_dropped"]
    assert len(dropped) == len(foreign), [line["problem"] for line in dropped]
    assert not [line for line in lines if "exception" in line or line["level"] in ("error", "critical")]
    assert max(len(json.dumps(line)) for line in dropped) < 1000


def test_what_else_a_wake_up_carries_is_left_behind(
    cluster: Cli, worker: subprocess.Popen[str], broker: redis.Redis, photographs: Callable[..., Path]
):
    photographs(4)
    signature = {"task": "stolen", "args": [], "kwargs": {}, "options": {"queue": "stolen"}, "immutable": True}
    canvas = {"callbacks": [signature], "errbacks": [signature], "chain": [signature], "chord": signature}
    for sent in (
        message(call(**canvas)),
        message(call(job=10**9, chunk=10**9)),
        message(headers=headers(eta="2999-01-01T00:00:00+00:00")),
        message(headers=headers(expires="2001-01-01T00:00:00+00:00")),
        message(headers=headers(timelimit=[0.001, 0.001], retries="x", group=[1], stamps={"a": 1}, shadow={})),
        *[message()] * 10,
    ):
        broker.lpush(Queue.LABEL, sent)
    wait_for(lambda: broker.llen(Queue.LABEL) == 0, "an empty queue")
    label(cluster, "photographs")
    wait_for(lambda: broker.hlen("unacked") == 0, "every message confirmed")
    assert broker.llen("stolen") == 0
    lines = log_of(worker)
    assert not [line for line in lines if "exception" in line or line["level"] in ("error", "critical")]


def test_orders_and_garbage_on_the_remote_control_change_nothing_and_questions_are_answered(
    cluster: Cli, worker: subprocess.Popen[str], broker: redis.Redis, redis_url: str, photographs: Callable[..., Path]
):
    photographs(4)
    (channel,) = wait_for(lambda: broker.pubsub_channels("*pidbox*") or _patterns(broker), "the remote control")
    for garbage in (b"garbage", b"[1]", b"{}", b"x" * 1_000_000, message()):
        assert broker.publish(channel, garbage) == 1
    with Celery(broker=redis_url) as app:
        for order in ("shutdown", "pool_restart", "pool_shrink", "disable_events"):
            app.control.broadcast(order)
        app.control.rate_limit(LABEL_CHUNK_TASK, "1/h")
        app.control.cancel_consumer("label")
        app.control.revoke(str(uuid4()), terminate=True)
        app.control.broadcast("ping", pattern="(a+)+$", matcher="pcre")
        label(cluster, "photographs")
        inspect = app.control.inspect(timeout=10, limit=1)
        answers = {name: getattr(inspect, name)() for name in ("ping", "stats", "active", "registered", "conf")}
    assert all(answers.values()), answers
    password = redis_url.split(":")[2].split("@", maxsplit=1)[0]
    assert password not in repr(answers)
    problems = [str(line["problem"]) for line in log_of(worker) if line["event"] == "message_dropped"]
    assert len(problems) == 5 + 8, "\n".join(problems)
    assert any("'shutdown' is not one of the questions" in problem for problem in problems)


def _patterns(broker: redis.Redis) -> list[str]:
    # The worker listens by a pattern, which PUBSUB CHANNELS does not list.
    number = broker.connection_pool.connection_kwargs["db"]
    return [f"/{number}.celery.pidbox"] if broker.pubsub_numpat() else []


def test_an_unconfirmed_message_that_cannot_be_read_is_forgotten(
    cluster: Cli, broker: redis.Redis, photographs: Callable[..., Path]
):
    photographs(4)
    for tag, kept in {"a": b"garbage", "b": b"[1]", "c": b"[[], {}, []]", "d": b"[" * 60_000}.items():
        broker.hset("unacked", tag, kept)
        broker.zadd("unacked_index", {tag: 1.0})
    worker = cluster.start("worker", "--preload", MODEL, **QUIET)
    wait_for(lambda: broker.zcard("unacked_index") == broker.hlen("unacked") == 0, "an empty list")
    label(cluster, "photographs")
    assert not [line for line in log_of(worker) if "exception" in line and line["level"] == "error"]
