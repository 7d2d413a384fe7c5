"""Pictures that were made once, on disk: by what they show, the longest unused deleted where they take too much.

What goes wrong with the disk costs the copy and nothing else: pictures can be made again at any time. Knows nothing of
images.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

logger = structlog.get_logger(__name__)

# What is left when too much is there, so that not every picture that follows has to make room.
_SHARE_LEFT = 0.9


class KeptFiles:
    """Files in a folder by keys. Threads and processes may share it.

    Args:
        folder: where; made when it is needed.
        max_bytes: what all of them may take. Others that write to the folder are seen when room is made.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._num_bytes: int | None = None  # None: nobody has looked yet
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """A file's content, which then counts as used now; None: it is not there.

        Args:
            key: small letters and digits.
        """
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep a file, whole or not at all."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                unfinished = Path(file.name)
                try:
                    file.write(data)
                    file.flush()
                    unfinished.replace(path)
                except BaseException:
                    unfinished.unlink()
                    raise
        except OSError as error:
            logger.warning("picture_not_kept", folder=str(self._folder), problem=str(error))
            return
        self._count(len(data))

    def _path(self, key: str) -> Path:
        if not (key.isascii() and key.isalnum()):
            raise ValueError(f"key: expected letters and digits, received {key!r}.")
        return self._folder / key[:2] / key

    def _count(self, num_bytes: int) -> None:
        with self._lock:
            if self._num_bytes is None:
                self._num_bytes = sum(status.st_size for _, status in self._files())
            else:
                self._num_bytes += num_bytes
            if self._num_bytes > self._max_bytes:
                self._num_bytes = self._make_room()

    def _make_room(self) -> int:
        """Delete the longest unused, files included that a dead process left unfinished; what is left, in bytes."""
        files = sorted(self._files(), key=lambda found: found[1].st_mtime_ns)
        num_bytes = sum(status.st_size for _, status in files)
        for path, status in files:
            if num_bytes <= self._max_bytes * _SHARE_LEFT:
                break
            with suppress(OSError):
                path.unlink()
            num_bytes -= status.st_size
        return num_bytes

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.glob("*/*"):
            # Another process may have deleted it since.
            with suppress(OSError):
                yield path, path.stat()
