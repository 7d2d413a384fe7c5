"""The other side of `workers.children`: what a process does that answers questions over a pipe."""

import argparse
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from workers.images.frames import receive_header, send
from workers.streams import redirect_native_output

Answer = tuple[dict[str, Any], Sequence[bytes | np.ndarray]]


def connect(description: str | None) -> Connection:
    """Take the connection that this process was started with, and keep native libraries off the terminal.

    Args:
        description: what the process is for.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("descriptor", type=int, help="of the connection")
    connection = Connection(parser.parse_args().descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    redirect_native_output()
    return connection


def serve(connection: Connection, answer: Callable[[dict[str, Any], Sequence[bytes]], Answer]) -> None:
    """Answer until the other side is gone, or asks nothing for longer than it said it might.

    The kernel ends the process where an answer takes longer than it may.

    Args:
        connection: to the other side.
        answer: makes an answer of a question and what was sent with it.
    """
    max_idle_s: float | None = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        send(connection, {"is_ready": True})
        while connection.poll(max_idle_s):
            request = receive_header(connection)
            parts = [connection.recv_bytes() for _ in range(request["num_parts"])]
            # Not a handler of Python's: the kernel ends the process, also where C code never comes back.
            signal.setitimer(signal.ITIMER_REAL, request["max_s"])
            try:
                header, answered = answer(request, parts)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            send(connection, header, answered)
            max_idle_s = request["max_idle_s"]
