"""Images in processes of their own: one that kills or stops its process is an error row, and its neighbours none.

Slower than threads, as every file and every result goes through a pipe, and so only for images under suspicion.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from queue import LifoQueue
from typing import Any, Self

import numpy as np
import structlog

from core.errors import InputError, SetupError
from core.items import Locator, MemberLocator, locator_to_text
from core.preprocessing import PreprocessingContract
from core.settings import ENV_PREFIX
from core.types import Reason
from workers.images.frames import contracts_to_json, receive_header, send
from workers.images.loading import Images
from workers.ml.resizing import prepare

logger = structlog.get_logger(__name__)

# A process imports numpy and OpenCV before it answers, on a machine that may be busy.
START_TIMEOUT_S = 120.0
# The process ends itself in time. One that is stopped from outside, or waits for a dead disk, cannot.
GRACE_S = 10.0
# Each process unpacks a compressed archive up to the member that it is asked for. The lease lasts for longer.
MAX_UNPACKING_S = 240.0
# It has no business with the ledger or the broker.
SECRET_VARIABLES = (f"{ENV_PREFIX}DATABASE_URL", f"{ENV_PREFIX}BROKER_URL")


class IsolatedImages(Images):
    """Images in disposable processes; a context manager that ends them.

    Args:
        num_processes: how many images are read or decoded at the same time. Each process starts when it is needed.
        max_image_s: how long an image may take.
    """

    def __init__(self, *, num_processes: int, max_image_s: float) -> None:
        self._max_image_s = max_image_s
        self._processes = [_Process() for _ in range(num_processes)]
        # The last one first, so that no more are started than are needed at once.
        self._idle: LifoQueue[_Process] = LifoQueue()
        for process in self._processes:
            self._idle.put(process)
        self._is_closed = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes."""
        self.close()

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read it in a process."""
        max_s = MAX_UNPACKING_S if isinstance(locator, MemberLocator) else self._max_image_s
        with self._process() as process:
            answer = process.ask({"locator": locator_to_text(locator)}, max_s=max_s)
            data = process.receive()
        if answer["shape"] is None:
            return data
        return np.frombuffer(data, np.uint8).reshape(answer["shape"])

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode it in a process; an array's pixels are there already."""
        if isinstance(data, np.ndarray):
            for contract, slot in slots.items():
                prepare(data, contract, slot)
            return
        with self._process() as process:
            process.ask({"contracts": contracts_to_json(slots.keys())}, [data], max_s=self._max_image_s)
            for slot in slots.values():
                process.receive_into(slot)

    def close(self) -> None:
        """End the processes, each when its image is done."""
        # Threads may still be on images, or come with some more, that nobody waits for: the lease was lost.
        self._is_closed = True
        for process in [self._idle.get() for _ in self._processes]:
            process.end()
            self._idle.put(process)

    @contextmanager
    def _process(self) -> Iterator["_Process"]:
        process = self._idle.get()
        try:
            if self._is_closed:
                raise InputError(Reason.UNREADABLE, "It came when its processes had been ended.")
            yield process
        finally:
            self._idle.put(process)


class _Process:
    """One process at a time, replaced when it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._max_s = 0.0  # how long what it was asked last may take

    def ask(self, request: dict[str, Any], parts: Sequence[bytes] = (), *, max_s: float) -> dict[str, Any]:
        """Ask for something and wait for the answer.

        Args:
            request: what for.
            parts: what is sent with it.
            max_s: how long it may take.

        Raises:
            InputError: it cannot be had; or the process has died over it, or taken too long.
            SetupError: no process can be started.
        """
        if self._process is not None and self._process.poll() is not None:
            # It ended with nothing to do, first of all where memory ran out; this image is not to blame.
            self.end()
        if self._process is None:
            self._start()
        self._max_s = max_s
        try:
            send(self._connection, request | {"max_s": max_s}, parts)
            answer = self._answer(max_s + GRACE_S)
        except (EOFError, OSError):
            raise self._explained() from None
        if "reason" in answer:
            raise InputError(Reason(answer["reason"]), answer["detail"])
        return answer

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

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        descriptor = theirs.fileno()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-P", "-m", "workers.images.child", str(descriptor)],
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,
                )
            self._answer(START_TIMEOUT_S)
        except (EOFError, OSError) as error:
            returncode = self.end()
            raise SetupError(
                f"A process for decoding could not start (exit status {returncode}). `labelyard doctor` looks closer."
            ) from error

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        if not self._connection.poll(timeout_s):
            # Nothing else would end the process before it is waited for.
            assert self._process is not None, "it was asked"  # noqa: S101
            self._process.send_signal(signal.SIGALRM)
            self._process.send_signal(signal.SIGCONT)
            raise TimeoutError
        return receive_header(self._connection)

    def _explained(self) -> InputError:
        """Find out how the process ended, and say it of the image."""
        returncode = self.end()
        error = _explain(returncode, self._max_s)
        logger.warning("decoder_died", returncode=returncode, reason=error.reason)
        return error


def _environment() -> dict[str, str]:
    """All but what a decoder that was taken over would look for."""
    inherited = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    return inherited | {"OPENBLAS_NUM_THREADS": "1"}


def _explain(returncode: int | None, max_s: float) -> InputError:
    if returncode in (None, -signal.SIGALRM):
        return InputError(
            Reason.TIMED_OUT,
            f"Reading or decoding it took longer than the {max_s:g} seconds that are allowed. Save it again from its "
            "origin, out of an archive that takes long to unpack, or raise LABELYARD_MAX_IMAGE_S, then "
            "`labelyard jobs retry`.",
        )
    if returncode == -signal.SIGKILL:
        return InputError(
            Reason.OUT_OF_MEMORY,
            "The process that decoded it was killed, most likely because the machine ran out of memory. It may be "
            "malicious; save it again from its origin, or give workers more memory, then `labelyard jobs retry`.",
        )
    how = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    return InputError(
        Reason.DECODER_CRASHED,
        f"The process that decoded it crashed ({how}). It may be malicious or hit a bug in a decoder; look at it in a "
        "sandbox, or save it again from its origin.",
    )
