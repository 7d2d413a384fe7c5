"""The threads of one worker process, shared by all the chunks that it works on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

# Reading waits for disks and networks more than it computes, so it has more threads than there are cores.
NUM_READING_THREADS = 8
# Whoever waits for an engine; as many as an engine on a processor computes batches at once.
NUM_COMPUTING_THREADS = 2


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _Pool(ThreadPoolExecutor):
    """Threads that do their work in the context of whoever asked for it: their log lines name the chunk."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> "Future[Result]":
        """Have something done."""
        return super().submit(partial(copy_context().run, partial(fn, *args, **kwargs)))


class WorkerThreads:
    """Who reads, who decodes and who waits for engines. Threads start with the first work.

    Args:
        num_decoding: threads that decode; OpenCV lets go of Python's lock meanwhile.
    """

    def __init__(self, *, num_decoding: int) -> None:
        self.reading = _Pool(NUM_READING_THREADS, thread_name_prefix="read")
        self.decoding = _Pool(num_decoding, thread_name_prefix="decode")
        self.computing = _Pool(NUM_COMPUTING_THREADS, thread_name_prefix="compute")

    def close(self) -> None:
        """Let the threads end; what they have not begun is dropped."""
        for pool in (self.reading, self.decoding, self.computing):
            pool.shutdown(wait=False, cancel_futures=True)
