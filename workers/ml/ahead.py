"""Working ahead: a bounded number of items in threads, handed on in order, and gathered into batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    executor: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int,
    wait_for: "Callable[[Future[Result]], Result]" = Future.result,
) -> Iterator[tuple[Item, Result]]:
    """Like `executor.map`, but with at most `ahead` results in memory, each beside its item, in the items' order.

    Args:
        executor: whose threads call the function.
        function: what is called.
        items: what it is called with.
        ahead: how many results are waited for at most.
        wait_for: waits for one; for those who have something to do meanwhile.
    """
    pending: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            pending.append((item, executor.submit(function, item)))
            if len(pending) > ahead:
                done, future = pending.popleft()
                yield done, wait_for(future)
        while pending:
            done, future = pending.popleft()
            yield done, wait_for(future)
    finally:
        # A caller that stops early must not wait for what it will not use.
        for _, future in pending:
            future.cancel()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Gather items into lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
