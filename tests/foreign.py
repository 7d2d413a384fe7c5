"""Messages that strangers may put into the broker, and the log of a process that met them. Knows nothing of pytest."""

import base64
import json
import os
import pickle
import subprocess
from pathlib import Path
from uuid import uuid4

from program import kill_with_children

from core.queues import LABEL_CHUNK_TASK

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


def log_of(worker: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Every line that the worker wrote; it is killed for that."""
    assert worker.poll() is None, "the worker is alive"
    kill_with_children(worker)
    assert worker.stdout is not None
    lines = worker.stdout.read().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
