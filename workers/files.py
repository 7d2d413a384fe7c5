"""Bytes of local files and of URLs. What goes wrong becomes the `InputError` of the image that was asked for.

A folder may hold pipes and devices under an image's name, and links to anywhere, so that nothing is read before it is
known to be a file, and one that may be read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Self

from core.errors import InputError
from core.types import Reason
from workers.access import Access, is_url
from workers.urls import describe_refusal, explain, file_system, refusal, remote_errors

_READ_NUM_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file's inode says. Whoever writes into a file, or puts another in its place, changes some of it."""

    num_bytes: int
    modified_ns: int
    changed_ns: int  # also where the modification time was set back
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Of what the operating system says."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @property
    def text(self) -> str:
        """For storing."""
        return f"{self.num_bytes}:{self.modified_ns}:{self.changed_ns}:{self.inode}"

    @property
    def changed_at_s(self) -> float:
        """When it was changed last, in seconds since 1970 by the file system's clock."""
        return max(self.modified_ns, self.changed_ns) / 1e9


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turn what goes wrong with a file into an `InputError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(Reason.NOT_FOUND, f"There is no file {uri}; it may have been moved since.") from error
    except remote_errors() as error:
        refused = refusal(error)
        if refused is not None:
            raise InputError(Reason.NOT_ALLOWED, describe_refusal(uri, refused)) from error
        why = explain(uri, error) if is_url(uri) else getattr(error, "strerror", None) or str(error)
        raise InputError(Reason.UNREADABLE, f"{uri} cannot be read: {why}. Check access from the worker.") from error


@contextmanager
def opened(uri: str, access: Access) -> Iterator[IO[bytes]]:
    """Open a file for as long as the block runs; what goes wrong within is translated too.

    Raises:
        InputError: it is not there, not a file, not readable, or may not be read.
    """
    with translated(uri), _open_remote(uri, access) if is_url(uri) else _open_local(uri, access) as file:
        yield file


def size_of(file: IO[bytes]) -> int | None:
    """How many bytes a file has, if that can be known without reading it."""
    size = getattr(file, "size", None)
    if isinstance(size, int):
        return size
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, AttributeError):
        return None


def read_up_to(file: IO[bytes], num_bytes: int) -> bytes:
    """Read until the end, but no more than so many bytes; streams may hand out less at a time than asked for."""
    parts = []
    num_left = num_bytes
    while num_left and (part := file.read(min(num_left, _READ_NUM_BYTES))):
        parts.append(part)
        num_left -= len(part)
    return b"".join(parts)


def read_range(uri: str, offset: int, num_bytes: int, access: Access) -> bytes:
    """Read a part of a file; fewer bytes where it ends. One request on an object store or the web."""
    if is_url(uri):
        with translated(uri):
            system, path = file_system(uri, access)
            data: bytes = system.cat_file(path, start=offset, end=offset + num_bytes)
            return data
    with opened(uri, access) as file:
        file.seek(offset)
        return read_up_to(file, num_bytes)


def _open_remote(uri: str, access: Access) -> IO[bytes]:
    system, path = file_system(uri, access)
    file: IO[bytes] = system.open(path, "rb")
    return file


def _open_local(uri: str, access: Access) -> IO[bytes]:
    descriptor = access.open(uri)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise InputError(Reason.UNREADABLE, f"{uri} is {what}; expected a regular file.")
    return os.fdopen(descriptor, "rb")
