"""Files that are made for one answer, and deleted behind it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send


class _MadeFile(FileResponse):
    """Sends a file whole, whatever range of it was asked for, and deletes its folder however that ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        try:
            await super().__call__({**scope, "headers": headers}, receive, send)
        finally:
            await run_in_threadpool(shutil.rmtree, Path(self.path).parent, ignore_errors=True)


def made_file(name: str, make: Callable[[Path], object]) -> FileResponse:
    """Make a file and send it.

    Args:
        name: what it is called where it arrives.
        make: writes it.
    """
    folder = Path(tempfile.mkdtemp(prefix="labelyard-"))
    try:
        path = folder / f"file{Path(name).suffix}"
        make(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _MadeFile(path, filename=name)
