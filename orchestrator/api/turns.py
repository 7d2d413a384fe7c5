"""Work that takes long, a little at a time, so that whatever else is asked is answered meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from orchestrator.api.problems import RefusedError

Result = TypeVar("Result")

# When to ask again where too many others wait.
RETRY_AFTER_S = 5


class Turns:
    """So many at a time. Those who wait take no thread.

    Args:
        num_at_once: how many have their turn at the same time.
        max_wait_s: how long one may wait for it.
        what: they wait for: "thumbnails".
    """

    def __init__(self, num_at_once: int, *, max_wait_s: float, what: str) -> None:
        self._free = asyncio.Semaphore(num_at_once)
        self._max_wait_s = max_wait_s
        self._what = what

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block.

        Raises:
            RefusedError: too many others wait.
        """
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"Waited {self._max_wait_s:g} s behind others who asked for {self._what}. Ask again in a while.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        try:
            yield
        finally:
            self._free.release()

    async def take(self, work: Callable[[], Result]) -> Result:
        """Wait for a turn, and work in a thread.

        Raises:
            RefusedError: too many others wait.
        """
        async with self.turn():
            return await run_in_threadpool(work)
