"""A process of ours that answers questions and may die over any of them: started when needed, replaced when it ended.

Questions and answers are plain JSON and bytes over a pipe. Knows nothing of what is asked.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import numpy as np
import structlog

from core.errors import SetupError
from core.settings import ENV_PREFIX
from workers.images.frames import receive_header, send

logger = structlog.get_logger(__name__)

# A process imports large libraries before it answers, on a machine that may be busy.
START_TIMEOUT_S = 120.0
# The process ends itself in time. One that is stopped from outside, or waits for a dead disk, cannot.
GRACE_S = 10.0
# A process that has nothing to do ends by itself, so much later than it would be replaced: never under a question.
SPARE_IDLE_S = 30.0
# It has no business with the ledger or the broker.
SECRET_VARIABLES = (f"{ENV_PREFIX}DATABASE_URL", f"{ENV_PREFIX}BROKER_URL")

# Exit status (None: it did not end) and how long it had, in seconds, to what is said of the question.
Explain = Callable[[int | None, float], Exception]


class ChildProcess:
    """One process at a time. One thread at a time may use it.

    Args:
        module: what runs; it gets the pipe's descriptor as its argument, and says `{"is_ready": true}` when it is.
        explain: makes the error that is raised where the process ended over a question.
        environment: variables in which it differs from this process.
        max_idle_s: after so long without a question its memory is given back, and the next question starts a fresh one;
            None: it is kept.
    """

    def __init__(
        self,
        module: str,
        explain: Explain,
        *,
        environment: Mapping[str, str] | None = None,
        max_idle_s: float | None = None,
    ) -> None:
        self._module = module
        self._explain = explain
        self._variables = environment or {}
        self._max_idle_s = max_idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._max_s = 0.0  # how long what it was asked last may take
        self._asked_at_s = 0.0

    def ask(self, request: dict[str, Any], parts: Sequence[bytes | np.ndarray] = (), *, max_s: float) -> dict[str, Any]:
        """Ask for something and wait for the answer.

        Args:
            request: what for.
            parts: what is sent with it.
            max_s: how long it may take.

        Raises:
            SetupError: no process can be started.
            Exception: the process has died over it, or taken too long; what `explain` makes of that.
        """
        if self._process is not None and (self._process.poll() is not None or self._is_stale()):
            # It ended with nothing to do, first of all where memory ran out; this question is not to blame.
            self.end()
        if self._process is None:
            self._start()
        self._max_s = max_s
        try:
            send(self._connection, request | self._terms(len(parts)), parts)
            return self._answer(max_s + GRACE_S)
        except (EOFError, OSError):
            raise self._explained() from None
        finally:
            self._asked_at_s = time.monotonic()

    def receive(self) -> bytes:
        """Receive what the answer announced."""
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise self._explained() from None

    def receive_into(self, pixels: np.ndarray) -> None:
        """Receive pixels into a contiguous uint8 array."""
        try:
            self._connection.recv_bytes_into(pixels.reshape(-1).data)
        except (EOFError, OSError):
            raise self._explained() from None

    def end(self) -> int | None:
        """End the process; its exit status, None where it does not end or there is none."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            # It ends by itself as its connection is closed, if it has not ended before.
            return process.wait(GRACE_S)
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        return None

    def _terms(self, num_parts: int) -> dict[str, Any]:
        max_idle_s = None if self._max_idle_s is None else self._max_idle_s + SPARE_IDLE_S
        return {"num_parts": num_parts, "max_s": self._max_s, "max_idle_s": max_idle_s}

    def _is_stale(self) -> bool:
        return self._max_idle_s is not None and time.monotonic() - self._asked_at_s > self._max_idle_s

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        descriptor = theirs.fileno()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-P", "-m", self._module, str(descriptor)],
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=self._environment(),
                    start_new_session=True,
                )
            self._answer(START_TIMEOUT_S)
        except (EOFError, OSError) as error:
            returncode = self.end()
            raise SetupError(
                f"A process for {self._module} could not start (exit status {returncode}). `labelyard doctor` looks "
                "closer."
            ) from error

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        if not self._connection.poll(timeout_s):
            # Nothing else would end the process before it is waited for.
            assert self._process is not None, "it was asked"  # noqa: S101
            self._process.send_signal(signal.SIGALRM)
            self._process.send_signal(signal.SIGCONT)
            raise TimeoutError
        return receive_header(self._connection)

    def _explained(self) -> Exception:
        """Find out how the process ended, and say it of the question."""
        returncode = self.end()
        logger.warning("child_died", module=self._module, returncode=returncode)
        return self._explain(returncode, self._max_s)

    def _environment(self) -> dict[str, str]:
        """All but what a process that was taken over would look for."""
        inherited = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
        return {**inherited, **self._variables}
