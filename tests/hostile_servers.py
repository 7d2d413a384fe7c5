"""Web servers that mean harm, or are merely overloaded: real ones, on this machine."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from web_servers import Quiet, serving


class HostileServer:
    """A server whose answers tests write by themselves.

    Args:
        address: where it listens.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.num_requests: Counter[str] = Counter()  # by path, HEAD and GET alike
        self.has_ended = threading.Event()

    def redirect(self, path: str, to: str) -> str:
        """Answer with a redirect; returns the URL."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", to)
            request.send_header("Content-Length", "0")
            request.end_headers()

        return self.answer(path, answer)

    def answer(self, path: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        """Answer by a function; returns the URL."""
        self.answers[path] = answer
        return self.address + path

    def send(self, path: str, data: bytes, *, status: int = 200, failing: int = 0, failure: int = 503) -> str:
        """Answer with some bytes, after having failed some times; 0 as the failure breaks the connection."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            if self.num_requests[path] <= failing:
                if failure:
                    request.send_error(failure)
                else:
                    request.close_connection = True
                return
            request.send_response(status)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            if request.command == "GET":
                request.wfile.write(data)

        return self.answer(path, answer)

    def pour(self, path: str, *, piece: bytes = b"x" * 2**16, pause_s: float = 0.0, length: int | None = None) -> str:
        """Answer with bytes that never end."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            if length is not None:
                request.send_header("Content-Length", str(length))
            request.end_headers()
            while request.command == "GET" and not self.has_ended.is_set():
                request.wfile.write(piece)
                request.wfile.flush()
                time.sleep(pause_s)

        return self.answer(path, answer)


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Start a server for as long as the block runs."""

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.num_requests[self.path] += 1
            answer = told.answers.get(self.path)
            if answer is None:
                self.send_error(404)
                return
            try:
                answer(self)
            except OSError:
                # The client has had enough.
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815 - its name is the protocol's

    with serving(Handler) as address:
        told = HostileServer(address)
        yield told
        told.has_ended.set()
