"""The batch sizes that were found on this machine, kept in the state folder, so that each is looked for once."""

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from filelock import FileLock

logger = structlog.get_logger(__name__)

FILE = "engines/batch_sizes.json"  # below the state folder


class BatchSizes:
    """Batch sizes by what they depend on. Processes may share the file; what is damaged is found anew.

    Args:
        home: the state folder.
    """

    def __init__(self, home: Path) -> None:
        self._path = home.expanduser().resolve() / FILE

    def get(self, key: str) -> int | None:
        """What was found before, if anything was."""
        return self._read().get(key)

    def get_or_find(self, key: str, find: Callable[[], int]) -> int:
        """What was found before, or what is found now. Of several processes that ask together, one looks.

        Args:
            key: what the size depends on, in words.
            find: looks for it.
        """
        known = self.get(key)
        if known is not None:
            return known
        found = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                known = self.get(key)
                if known is not None:
                    return known
                found = find()
                self._write(self._read() | {key: found})
        except OSError as error:
            logger.warning("batch_size_not_remembered", file=str(self._path), problem=str(error))
        if found is None:
            found = find()
        logger.info("batch_size_found", batch_size=found, of=key)
        return found

    def put(self, key: str, size: int) -> None:
        """Remember a size in place of the one before."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                self._write(self._read() | {key: size})
        except OSError as error:
            logger.warning("batch_size_not_remembered", file=str(self._path), problem=str(error))

    def _lock(self) -> FileLock:
        # The system lets go of the lock of a process that dies.
        return FileLock(self._path.with_suffix(".lock"))

    def _read(self) -> dict[str, int]:
        try:
            content = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {key: size for key, size in content.items() if type(size) is int and size >= 1}

    def _write(self, sizes: dict[str, int]) -> None:
        """Put the whole file in place at once, so that nobody reads half of it."""
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix="unfinished-", delete=False) as file:
            unfinished = Path(file.name)
            json.dump(sizes, file, indent=1, sort_keys=True)
        try:
            unfinished.replace(self._path)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
