"""What engines keep on disk: folders that are made once, whole or not at all, by processes of their own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from core.errors import EngineError


def make_once(folder: Path, make: Callable[[Path], None]) -> bool:
    """Make a folder if it is not there. Of several processes that ask together, one makes it.

    Args:
        folder: what is to be there.
        make: fills an empty folder, which then takes its place.

    Returns:
        Whether it was made now.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The system lets go of the lock of a process that dies.
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if folder.is_dir():
            return False
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unfinished-") as unfinished:
            unnamed = Path(unfinished) / "folder"
            unnamed.mkdir()
            make(unnamed)
            unnamed.rename(folder)
    return True


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    standard_input: bytes = b"",
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
) -> None:
    """Run a module of ours in a process of its own.

    Raises:
        EngineError: it failed, with the last line that it said, or took too long.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", module, *arguments],
            input=standard_input,
            env=os.environ | (environment or {}),
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"it took over {timeout_s:.0f} s") from error
    if child.returncode != 0:
        raise EngineError((child.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1])
