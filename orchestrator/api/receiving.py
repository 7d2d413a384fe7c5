"""Files as they come in: read piece by piece, never whole, in front of code that is not asynchronous."""

import tempfile
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import run as run_in_loop
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from orchestrator.api.problems import RefusedError

Result = TypeVar("Result")

# Files that come in at the same time. Each has a thread that waits for its sender, which is none of those that answer
# everybody else.
MAX_RECEIVING = 16
# A sender that sends nothing for so long is given up.
MAX_PAUSE_S = 60.0


async def received_file(request: Request, name: str, max_bytes: int, use: Callable[[Path], Result]) -> Result:
    """Write a request's body to a file, use that, and delete it.

    Args:
        request: whose body.
        name: what the file is called.
        max_bytes: with more, nothing is used.
        use: called in a thread.

    Raises:
        RefusedError: the body is too large.
    """
    with tempfile.TemporaryDirectory(prefix="labelyard-") as folder:
        path = Path(folder) / name
        num_bytes = 0
        async with await anyio.open_file(path, "xb") as file:
            async for piece in request.stream():
                num_bytes += len(piece)
                if num_bytes > max_bytes:
                    raise RefusedError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "content-too-large",
                        f"Received more than {max_bytes:,} bytes. Expected no more than that.",
                    )
                await file.write(piece)
        return await run_in_threadpool(use, path)


async def received_pieces(request: Request, use: Callable[[Iterator[bytes]], Result]) -> Result:
    """Hand a request's body on as it comes, to something that runs in a thread.

    Args:
        request: whose body.
        use: called in a thread with the pieces; they are read from the network as they are asked for.

    Raises:
        RefusedError: nothing came for too long.
    """
    stream = request.stream()

    async def next_piece() -> bytes | None:
        try:
            with anyio.fail_after(MAX_PAUSE_S):
                return await anext(stream, None)
        except TimeoutError:
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT,
                "sender-stalled",
                f"Received nothing for {MAX_PAUSE_S:g} s. Expected the rest of the file; send it again.",
            ) from None

    def pieces() -> Iterator[bytes]:
        while (piece := run_in_loop(next_piece)) is not None:
            yield piece

    threads: anyio.CapacityLimiter = request.app.state.receiving
    return await anyio.to_thread.run_sync(lambda: use(pieces()), limiter=threads)
