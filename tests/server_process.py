"""A server process for tests: started in its own folder, stopped, killed, restarted, and never left behind.

Knows nothing of pytest, and leaves what is special about Redis and PostgreSQL to `servers.py`.
"""

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
# Below the ports that Linux gives to clients: while a server is down nobody else gets its port, and a client that keeps
# connecting cannot happen to connect to itself.
PORTS = range(20_000, 32_000)
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.02
LAUNCHER = Path(__file__).with_name("launcher.py")


class ServerMissingError(Exception):
    """This machine has nothing that could be started."""


class ServerFailedError(Exception):
    """The server was there and did not come up, or would not go down; the message holds the end of its log."""


class Server(ABC):
    """One server process with a folder of its own, which lives until `close`.

    A context manager: started on entering, stopped and deleted on leaving. The port, and so the URL, survives
    a restart.
    """

    death_signal = signal.SIGKILL  # what the server gets when the tests die without stopping it
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.folder = Path(tempfile.mkdtemp(prefix="labelyard-test-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find the server, password included."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command that stays in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server does what clients ask."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The running server's process id."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServerFailedError: it ended or did not answer in time.
        """
        with (self.folder / "server.log").open("ab") as log:
            self._process = self._popen(self._command(), log.fileno())
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._fail("did not start")
            time.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        """Shut the server down in order; without effect where it is down."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the server as a crash would; without effect where it is down."""
        self._end(self.kill_signal)

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and delete all it has."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _popen(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        launch = [sys.executable, "-I", str(LAUNCHER), str(os.getpid()), self._user(), str(int(self.death_signal))]
        return subprocess.Popen(
            [*launch, *command],
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal is for pytest, which then stops its servers in order.
            start_new_session=True,
        )

    def _user(self) -> str:
        return ""

    def _end(self, signal_number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal_number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._fail("did not stop")
        self._process = None

    def _fail(self, what: str) -> None:
        name = type(self).__name__
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        raise ServerFailedError(f"{name} {what}. The end of its log:\n{self.log[-2000:]}")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            # As servers do: a port whose last connections are still fading away is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerFailedError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free on {HOST}.")
