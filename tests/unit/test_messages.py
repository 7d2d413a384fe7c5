"""Messages of the broker, without a broker; tests/e2e/test_foreign_messages.py sends them to a worker."""

import base64
import json
from uuid import uuid4

import pytest

from core.errors import MessageError
from core.queues import LABEL_CHUNK_TASK, SCHEDULE_QUEUE, TICK_TASK, Queue
from workers.messages import MAX_MESSAGE_BYTES, clean_call, clean_question, clean_wake_up


def envelope(body: object, **headers: object) -> bytes:
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {"body_encoding": "base64", "delivery_tag": "mine", "reply_to": "elsewhere"},
        }
    ).encode()


def wake_up(**ids: object) -> bytes:
    return envelope([[], ids, {"callbacks": [1]}], task=LABEL_CHUNK_TASK, id=str(uuid4()), eta="2999-01-01")


def test_a_wake_up_is_made_anew_from_its_task_and_ids_alone():
    made = json.loads(clean_wake_up(wake_up(job=7, chunk=8), Queue.LABEL))
    args, kwargs, embedded = json.loads(base64.b64decode(made["body"]))
    assert (args, kwargs) == ([], {"job": 7, "chunk": 8})
    assert not any(embedded.values())
    assert "eta" not in made["headers"]
    assert "reply_to" not in made["properties"]
    assert made["properties"]["delivery_tag"] != "mine"
    assert made["headers"]["kwargsrepr"] == "{'job': 7, 'chunk': 8}"


def test_what_was_made_anew_passes_again():
    once = clean_wake_up(wake_up(job=1, chunk=2**63 - 1), Queue.LABEL)
    assert json.loads(clean_wake_up(once, Queue.LABEL))["body"] == json.loads(once)["body"]


@pytest.mark.parametrize("job", [0, -1, 2**63, 10**30, 1.0, "1", True, None, [1], {"a": 1}])
def test_an_id_is_a_positive_integer_that_the_database_holds(job: object):
    with pytest.raises(MessageError, match="job"):
        clean_wake_up(wake_up(job=job, chunk=1), Queue.LABEL)


def test_more_or_fewer_arguments_are_refused():
    for ids in ({"job": 1}, {"job": 1, "chunk": 1, "more": 1}):
        with pytest.raises(MessageError):
            clean_wake_up(wake_up(**ids), Queue.LABEL)


def test_the_reason_names_what_was_received_and_does_not_repeat_the_message():
    with pytest.raises(MessageError, match=r"^70000 bytes received, expected 65536 at most$"):
        clean_wake_up(b"s" * 70_000, Queue.LABEL)
    with pytest.raises(MessageError) as caught:
        clean_wake_up(b"secret" * 1000, Queue.LABEL)
    assert "secret" not in str(caught.value)
    with pytest.raises(MessageError, match=r"expected 'labelyard\.train'"):
        clean_wake_up(wake_up(job=1, chunk=1), Queue.TRAIN)
    with pytest.raises(MessageError, match="not one of ours"):
        clean_wake_up(wake_up(job=1, chunk=1), "other")
    assert len(wake_up(job=1, chunk=1)) < MAX_MESSAGE_BYTES / 10


def test_a_tick_is_made_anew_from_its_id_alone():
    task_id = str(uuid4())
    sent = envelope([[], {}, {"callbacks": [1]}], task=TICK_TASK, id=task_id, eta="2999-01-01", retries="x")
    made = json.loads(clean_call(sent, SCHEDULE_QUEUE))
    assert json.loads(base64.b64decode(made["body"]))[:2] == [[], {}]
    assert not any(json.loads(base64.b64decode(made["body"]))[2].values())
    assert (made["headers"]["task"], made["headers"]["id"]) == (TICK_TASK, task_id)
    assert "eta" not in made["headers"]
    assert made["properties"]["delivery_info"] == {"exchange": "", "routing_key": SCHEDULE_QUEUE}
    assert "reply_to" not in made["properties"]
    assert json.loads(clean_call(json.dumps(made).encode(), SCHEDULE_QUEUE))["body"] == made["body"]


@pytest.mark.parametrize(
    "body",
    [[[], {"job": 1, "chunk": 1}, {}], [[1], {}, {}], [[], {"at_s": 0}, {}], [[], [], {}], [[], {}], {}, None, "", 1],
    ids=repr,
)
def test_a_tick_has_no_arguments(body: object):
    with pytest.raises(MessageError):
        clean_call(envelope(body, task=TICK_TASK, id=str(uuid4())), SCHEDULE_QUEUE)


def test_ticks_and_wake_ups_are_known_in_their_own_queues_alone():
    tick = envelope([[], {}, {}], task=TICK_TASK, id=str(uuid4()))
    for queue in (*Queue, "other"):
        with pytest.raises(MessageError):
            clean_call(tick, queue)
    with pytest.raises(MessageError, match=r"expected 'labelyard\.tick'"):
        clean_call(wake_up(job=1, chunk=1), SCHEDULE_QUEUE)
    with pytest.raises(MessageError, match="expected 65536"):
        clean_call(tick + b" " * MAX_MESSAGE_BYTES, SCHEDULE_QUEUE)
    with pytest.raises(MessageError, match="id"):
        clean_call(envelope([[], {}, {}], task=TICK_TASK, id="1"), SCHEDULE_QUEUE)


def test_a_question_loses_its_arguments_and_an_order_is_refused():
    asked = {"method": "conf", "arguments": {"with_defaults": True}, "ticket": "t"}
    made = json.loads(base64.b64decode(json.loads(clean_question(envelope(asked)))["body"]))
    assert (made["method"], made["arguments"], made["ticket"]) == ("conf", {}, "t")
    for refused in (
        {"method": "shutdown"},
        {"method": "ping", "pattern": "(a+)+$"},
        {"method": "ping", "reply_to": {"exchange": "label", "routing_key": "label"}},
        {"method": "ping", "destination": "every"},
    ):
        with pytest.raises(MessageError):
            clean_question(envelope(refused))
