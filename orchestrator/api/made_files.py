"""Files that are made for one answer, and deleted behind it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask


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
    return FileResponse(path, filename=name, background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True))
