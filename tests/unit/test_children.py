"""Processes that answer questions: both sides of the pipe."""

from collections.abc import Sequence
from multiprocessing import Pipe
from typing import Any

from workers.answering import Answer, serve
from workers.images.frames import receive_header, send


def echo(request: dict[str, Any], parts: Sequence[bytes]) -> Answer:
    return {"said": request["say"]}, parts


def test_what_is_asked_is_answered_and_what_was_sent_comes_back():
    ours, theirs = Pipe()
    # Asked before it serves, so that one thread is enough; then it is told not to wait for more.
    send(ours, {"say": "hello", "num_parts": 2, "max_s": 5, "max_idle_s": 0}, [b"one", b"two"])

    serve(theirs, echo)

    assert receive_header(ours) == {"is_ready": True}
    assert receive_header(ours) == {"said": "hello"}
    assert [ours.recv_bytes(), ours.recv_bytes()] == [b"one", b"two"]


def test_it_ends_when_the_other_side_is_gone():
    ours, theirs = Pipe()
    send(ours, {"say": "hello", "num_parts": 0, "max_s": 5, "max_idle_s": None})
    ours.close()

    serve(theirs, echo)
