"""What a pipeline's stages take, and whether its threads get on."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from core.jobs import StageSeconds

# How often progress is told while threads are waited for.
INTERVAL_S = 1.0

Result = TypeVar("Result")


class Watch:
    """Adds up seconds by stage, and tells of progress while one waits; its threads share it.

    Args:
        on_progress: called now and then if an image was read or decoded since; what it raises ends the waiting.
    """

    def __init__(self, on_progress: Callable[[], None]) -> None:
        self.seconds = StageSeconds()
        self._lock = threading.Lock()
        self._on_progress = on_progress
        self._num_touched = self._num_noticed = 0

    @contextmanager
    def spending(self, stage: str) -> Iterator[None]:
        """Add what the block takes to a stage, a field of `StageSeconds`."""
        started_at_s = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started_at_s
            with self._lock:
                setattr(self.seconds, stage, getattr(self.seconds, stage) + spent)

    def touched(self) -> None:
        """Note that an image was read or decoded. The count need not be exact, only move."""
        self._num_touched += 1

    def wait_for(self, future: "Future[Result]") -> Result:
        """Wait for threads, telling of their progress meanwhile: slow storage is no reason to lose a lease."""
        while not wait([future], INTERVAL_S).done:
            self._tell()
        self._tell()
        return future.result()

    def _tell(self) -> None:
        if self._num_touched != self._num_noticed:
            self._num_noticed = self._num_touched
            self._on_progress()
