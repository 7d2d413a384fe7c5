"""What is taken from a message of the broker: which task is meant, and ids if it has any. The rest is left behind.

Whoever may write to the broker may write anything. So a message is read here, before Celery or kombu look at it, and
made anew from the few values that passed; what does not pass is dropped. Nothing of a foreign message is ever
decompressed, unpickled, scheduled, called back or executed. See docs/adr/0023. Knows nothing of Redis.
"""

import base64
import binascii
import json
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.errors import MessageError
from core.queues import SCHEDULE_QUEUE, TICK_TASK, Queue

# Ours take about 1,000.
MAX_MESSAGE_BYTES = 64 * 1024
# What the database can hold.
MAX_ID = 2**63 - 1
# What Flower asks a worker; the rest of Celery's remote control are orders, which are the ledger's to give.
QUESTIONS = frozenset(
    {"active", "active_queues", "conf", "heartbeat", "ping", "registered", "reserved", "revoked", "scheduled", "stats"}
)
CONTROL_EXCHANGE = "celery.pidbox"
REPLY_EXCHANGE = "reply.celery.pidbox"

Id = Annotated[int, Field(strict=True, gt=0, le=MAX_ID)]
Name = Annotated[str, Field(max_length=200)]
Parsed = TypeVar("Parsed")


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Properties(_Model):
    body_encoding: Literal["base64"]


class _Envelope(_Model):
    body: str
    content_type: Literal["application/json"] = Field(alias="content-type")
    content_encoding: Literal["utf-8"] = Field(alias="content-encoding")
    properties: _Properties


class _TaskHeaders(_Model):
    task: Name
    id: Annotated[UUID, Field(strict=False)]


class _TaskEnvelope(_Envelope):
    headers: _TaskHeaders


class _Ids(_Model):
    model_config = ConfigDict(extra="forbid")

    job: Id
    chunk: Id


class _Nothing(_Model):
    model_config = ConfigDict(extra="forbid")


class _ReplyTo(_Model):
    exchange: Literal["reply.celery.pidbox"]
    routing_key: Name


class _Question(_Model):
    method: Name
    destination: list[Name] | None = None
    pattern: None = None  # a regular expression, which may take for ever
    ticket: Name | None = None
    reply_to: _ReplyTo | None = None


_TASK_ENVELOPE = TypeAdapter(_TaskEnvelope)
_ENVELOPE = TypeAdapter(_Envelope)
_QUESTION = TypeAdapter(_Question)
# Celery's second protocol: positional arguments, named arguments, and what to call afterwards.
_WAKE_UP = TypeAdapter(tuple[Annotated[list[Any], Field(max_length=0)], _Ids, Any])
_TICK = TypeAdapter(tuple[Annotated[list[Any], Field(max_length=0)], _Nothing, Any])


def clean_call(message: bytes, queue_name: str) -> bytes:
    """Make a call of a task anew: a wake-up, or a tick of the schedules.

    Raises:
        MessageError: it is neither, or it lay in the wrong queue.
    """
    return clean_tick(message) if queue_name == SCHEDULE_QUEUE else clean_wake_up(message, queue_name)


def clean_tick(message: bytes) -> bytes:
    """Make a tick anew, of which only Celery's id is taken; it has no arguments.

    Raises:
        MessageError: it is no tick.
    """
    task_id, body = _read(message, TICK_TASK)
    _parse(_TICK, body)
    return _call(SCHEDULE_QUEUE, TICK_TASK, task_id, {})


def clean_wake_up(message: bytes, queue_name: str) -> bytes:
    """Make a wake-up anew from what is known to be harmless in it.

    Args:
        message: as it lay in the broker.
        queue_name: where it lay.

    Returns:
        An envelope of kombu's, with a call of the queue's own task by two ids.

    Raises:
        MessageError: it is no wake-up.
    """
    try:
        queue = Queue(queue_name)
    except ValueError:
        raise MessageError(f"queue {queue_name[:100]!r} is not one of ours") from None
    task_id, body = _read(message, queue.task)
    ids = _parse(_WAKE_UP, body)[1]
    return _call(queue.value, queue.task, task_id, {"job": ids.job, "chunk": ids.chunk})


def clean_question(message: bytes) -> bytes:
    """Make a question of the remote control anew, without its arguments.

    Raises:
        MessageError: it is no question, or an order.
    """
    question = _parse(_QUESTION, _decoded(_parse(_ENVELOPE, _limited(message)).body))
    if question.method not in QUESTIONS:
        raise MessageError(f"{question.method!r} is not one of the questions that workers answer")
    return _envelope(
        body=question.model_dump() | {"arguments": {}},
        headers={},
        properties={"delivery_info": {"exchange": CONTROL_EXCHANGE, "routing_key": ""}},
    )


def _read(message: bytes, task: str) -> tuple[str, bytes]:
    """Celery's id and the arguments of a call of a task."""
    envelope = _parse(_TASK_ENVELOPE, _limited(message))
    if envelope.headers.task != task:
        raise MessageError(f"task {envelope.headers.task!r} received, expected {task!r}")
    return str(envelope.headers.id), _decoded(envelope.body)


def _call(queue_name: str, task: str, task_id: str, kwargs: dict[str, int]) -> bytes:
    return _envelope(
        body=[[], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
        headers={"lang": "py", "task": task, "id": task_id, "root_id": task_id, "parent_id": None, "retries": 0}
        | {"argsrepr": "()", "kwargsrepr": repr(kwargs)},
        # The default exchange leads to the queue of that name; from there it is sent again if a worker dies.
        properties={"correlation_id": task_id, "delivery_info": {"exchange": "", "routing_key": queue_name}},
    )


def _limited(message: bytes) -> bytes:
    if len(message) > MAX_MESSAGE_BYTES:
        raise MessageError(f"{len(message)} bytes received, expected {MAX_MESSAGE_BYTES} at most")
    return message


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MessageError("its body is not base64") from None


def _parse(kind: TypeAdapter[Parsed], text: bytes) -> Parsed:
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise MessageError(f"{where or 'the whole'}: {problem['msg']}"[:300]) from None


def _envelope(*, body: object, headers: dict[str, Any], properties: dict[str, Any]) -> bytes:
    made = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": properties
        # A tag of our own: two messages with the same one would be taken for each other.
        | {"body_encoding": "base64", "delivery_mode": 2, "priority": 0, "delivery_tag": str(uuid4())},
    }
    return json.dumps(made).encode()
