"""Reading an item's bytes, wherever a locator says they are.

Whatever goes wrong here concerns one image: it is said as an `InputError` and becomes that image's row. Knows nothing
of image formats.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from gzip import BadGzipFile
from io import BytesIO
from itertools import count
from types import TracebackType
from typing import IO, Self

import numpy as np

from core.errors import InputError
from core.items import ArrayLocator, FileLocator, Locator, MemberLocator
from core.types import Reason
from workers.access import Access, is_url
from workers.archives import ARCHIVE_ERRORS, NUM_HEAD_BYTES, ArchiveLimitError, decompressed, is_compressed
from workers.files import FileStamp, opened, read_range, read_up_to, size_of, translated
from workers.ml.arrays import MAX_HEADER_BYTES, ArrayHeader, check_item, from_array, item_from_bytes, read_header
from workers.ml.limits import ImageLimits
from workers.urls import explain, is_web, remote_errors
from workers.windows import StreamWindow

# Compressed archives that are kept open, at one place for each of the chunks that are read at the same time; a chunk
# seldom crosses more than one border.
_NUM_WINDOWS = 4
# Remote containers whose nature is remembered, to spare a request per image.
_NUM_REMEMBERED = 256


class ItemReader:
    """Reads items for one worker; its threads may share it.

    Args:
        limits: how large an item may be.
        access: what may be read.
    """

    def __init__(self, limits: ImageLimits, access: Access) -> None:
        self._limits = limits
        self._access = access
        self._windows: OrderedDict[tuple[str, int], StreamWindow] = OrderedDict()  # by archive; it may have several
        self._numbers = count()
        # A compressed archive is read from front to back, by one thread at a time.
        self._windows_lock = threading.Lock()
        self._remote_header = lru_cache(_NUM_REMEMBERED)(self._read_header)
        self._is_remote_compressed = lru_cache(_NUM_REMEMBERED)(self._is_compressed)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go of what is open."""
        self.close()

    def close(self) -> None:
        """Let go of what is open."""
        with self._windows_lock:
            for window in self._windows.values():
                window.close()
            self._windows.clear()

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read one item.

        Returns:
            An image file's bytes, or (H, W, 3) uint8 RGB for an item of an array.

        Raises:
            InputError: the item is not there, too large, or not readable.
        """
        match locator:
            case FileLocator():
                data = self._read_file(locator.uri)
            case MemberLocator():
                data = self._read_member(locator)
            case ArrayLocator():
                return self._read_array_item(locator)
        if not data:
            raise InputError(Reason.EMPTY_FILE, "The file has no bytes; expected an image. Copy it again.")
        return data

    def stamp(self, locator: Locator) -> FileStamp | None:
        """What a local file is told by from what it was or will be; None for whatever else, and for one to complain of.

        Raises:
            InputError: it is not there, or may not be read.
        """
        if not isinstance(locator, FileLocator) or is_url(locator.uri):
            return None
        with opened(locator.uri, self._access) as file:
            stamp = FileStamp.of(os.fstat(file.fileno()))
        return stamp if 0 < stamp.num_bytes <= self._limits.max_bytes else None

    def place_stamp(self, locator: Locator) -> FileStamp | None:
        """What the local file is told by that an item is in; None for what is elsewhere, if it may be read.

        Raises:
            InputError: the file is not there, or may not be read.
        """
        if is_url(locator.uri):
            with translated(locator.uri):
                self._access.require(locator.uri)
            return None
        with opened(locator.uri, self._access) as file:
            return FileStamp.of(os.fstat(file.fileno()))

    def _read_file(self, uri: str) -> bytes:
        """Read a whole file; one that grows meanwhile is stopped at the limit too."""
        if is_web(uri):
            # Without asking for the size first, which web servers need not tell, and need not tell truly.
            data = read_range(uri, 0, self._limits.max_bytes + 1, self._access)
        else:
            with opened(uri, self._access) as file:
                self._check_size(size_of(file))
                data = read_up_to(file, self._limits.max_bytes + 1)
        self._check_size(len(data))
        return data

    def _read_member(self, locator: MemberLocator) -> bytes:
        if locator.offset < 0:
            raise InputError(Reason.NOT_FOUND, f"{locator.uri} holds no file {locator.member}, or could not be read.")
        self._check_size(locator.num_bytes)
        is_packed = self._is_remote_compressed if is_url(locator.uri) else self._is_compressed
        if is_packed(locator.uri):
            data = self._read_packed(locator)
        else:
            data = read_range(locator.uri, locator.offset, locator.num_bytes, self._access)
        if len(data) < locator.num_bytes:
            raise InputError(
                Reason.TRUNCATED,
                f"{locator.uri} ends within {locator.member}: {len(data)} of {locator.num_bytes} bytes. Copy it again.",
            )
        return data

    def _read_packed(self, locator: MemberLocator) -> bytes:
        with self._windows_lock:
            window = self._window(locator)
            try:
                return window.read(locator.offset, locator.num_bytes)
            except ARCHIVE_ERRORS + remote_errors() as error:
                window.close()
                raise _packed_error(locator, error) from error

    def _window(self, locator: MemberLocator) -> StreamWindow:
        """The window that has the shortest way to a member."""
        near = [
            key for key, window in self._windows.items() if key[0] == locator.uri and window.can_reach(locator.offset)
        ]
        key = max(near, key=lambda key: self._windows[key].start, default=(locator.uri, next(self._numbers)))
        if key not in self._windows:
            self._windows[key] = StreamWindow(lambda: _unpacked(locator.uri, self._access))
        self._windows.move_to_end(key)
        while len(self._windows) > _NUM_WINDOWS:
            self._windows.popitem(last=False)[1].close()
        return self._windows[key]

    def _read_array_item(self, locator: ArrayLocator) -> np.ndarray:
        header = self._remote_header(locator.uri) if is_url(locator.uri) else self._read_header(locator.uri)
        check_item(header, locator.index, self._limits)
        data = read_range(locator.uri, header.item_offset(locator.index), header.item_num_bytes, self._access)
        return from_array(item_from_bytes(data, header, locator.index), locator.scale)

    def _is_compressed(self, uri: str) -> bool:
        return is_compressed(read_range(uri, 0, NUM_HEAD_BYTES, self._access))

    def _read_header(self, uri: str) -> ArrayHeader:
        head = read_range(uri, 0, MAX_HEADER_BYTES, self._access)
        try:
            return read_header(BytesIO(head))
        except ValueError as error:
            raise InputError(Reason.WRONG_SHAPE, f"{uri} is not an .npy array: {error}.") from error

    def _check_size(self, num_bytes: int | None) -> None:
        if num_bytes is not None and num_bytes > self._limits.max_bytes:
            raise InputError(
                Reason.TOO_MANY_BYTES,
                f"The file has {num_bytes} bytes or more; at most {self._limits.max_bytes} are allowed "
                "(LABELYARD_MAX_IMAGE_BYTES).",
            )


@contextmanager
def _unpacked(uri: str, access: Access) -> Iterator[IO[bytes]]:
    with opened(uri, access) as file, decompressed(file) as stream:
        yield stream


def _packed_error(locator: MemberLocator, error: Exception) -> InputError:
    """Tell an archive that is damaged from one whose server failed."""
    if isinstance(error, ArchiveLimitError):
        return InputError(Reason.TOO_MANY_BYTES, f"{locator.uri} is refused: {error}.")
    if is_url(locator.uri) and isinstance(error, remote_errors()) and not isinstance(error, BadGzipFile):
        why = explain(locator.uri, error)
        return InputError(Reason.UNREADABLE, f"{locator.uri} cannot be read: {why}. Check access from the worker.")
    return InputError(Reason.CORRUPT, f"{locator.uri} is damaged before the end of {locator.member}: {error}.")
