"""Whatever lies in the broker: a worker drops it with one line in the log, and the next honest job ends well."""

import base64
import json
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from celery import Celery
from program import MODEL, Cli, kill_with_children, wait_for, wait_for_workers

from core.queues import LABEL_CHUNK_TASK, Queue

QUIET = {"LABELYARD_LOG_FORMAT": "json", "LABELYARD_SWEEP_INTERVAL_S": "1"}
NO_CANVAS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class Marker:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def message(body: bytes | None = None, **changes) -> bytes:
    """A wake-up as Celery writes it, but for some changes; a value of None takes a part away."""
    task_id = str(uuid4())
    parts = {
        "body": base64.b64encode(body or call()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": LABEL_CHUNK_TASK, "id": task_id, "root_id": task_id, "retries": 0},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": "label"},
            "delivery_tag": task_id,
        },
    }
    for name, value in changes.items():
        parts[name.replace("_", "-")] = value
    return json.dumps({name: value for name, value in parts.items() if value is not None}).encode()


def call(job: object = 1, chunk: object = 1, args: list[object] | None = None, **embedded: object) -> bytes:
    return json.dumps([args or [], {"job": job, "chunk": chunk}, NO_CANVAS | embedded]).encode()


def headers(**changes: object) -> dict[str, object]:
    return json.loads(message())["headers"] | changes


def foreign_messages(marker: Path) -> dict[str, bytes]:
    pickled = pickle.dumps(Marker(marker))
    as_pickle = {"content_type": "application/x-python-serialize", "content_encoding": "binary"}
    yaml = f"!!python/object/apply:os.mkdir ['{marker}']".encode()
    return {
        "pickle": message(pickled, **as_pickle),
        "pickle, called JSON": message(pickled),
        "yaml": message(yaml, content_type="application/x-yaml"),
        "not JSON": b"\x80\x04\x95 garbage \xff",
        "empty": b"",
        "JSON of another kind": b"[1, 2, 3]",
        "JSON without an end": b'{"body": "',
        "nested without an end": b"[" * 60_000,
        "number without an end": b"1" * 60_000,
        "not base64": message(body=None).replace(b'"body": "', b'"body": "!'),
        "base64 of garbage": message(b"\xff\xfe\x00"),
        "no headers": message(headers=None),
        "headers of another kind": message(headers=[1]),
        "no properties": message(properties=None),
        "compressed": message(base64.b64decode("eJwrSS0uAQAEXQHB"), headers=headers(compression="application/x-gzip")),
        "huge": message(b"x" * 50_000_000),
        "unknown task": message(headers=headers(task="os.system")),
        "a task of Celery's": message(headers=headers(task="celery.chain")),
        "another queue's task": message(headers=headers(task="labelyard.train")),
        "id of another kind": message(headers=headers(id={"a": 1})),
        "text for an id": message(call(job="1; DROP TABLE job")),
        "negative id": message(call(chunk=-1)),
        "no id": message(call(chunk=0)),
        "true for an id": message(call(job=True)),
        "id that no database holds": message(call(chunk=10**30)),
        "nested lists for an id": message(call(job=[[[[1]]]])),
        "positional arguments": message(call(args=[1, 2])),
        "first protocol": json.dumps({"task": LABEL_CHUNK_TASK, "args": [1, 2], "id": "1"}).encode(),
    }


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


def log_of(worker: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Every line that the worker wrote; it is killed for that."""
    assert worker.poll() is None, "the worker is alive"
    kill_with_children(worker)
    assert worker.stdout is not None
    lines = worker.stdout.read().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


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
