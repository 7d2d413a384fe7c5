"""Bytes of local files and of URLs. What goes wrong becomes the `InputError` of the image that was asked for.

A folder may hold pipes and devices under an image's name, so that nothing is read before it is known to be a file.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from core.errors import InputError
from core.types import Reason
from workers.urls import explain, file_system, is_url, remote_errors

_READ_NUM_BYTES = 1024**2


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turn what goes wrong with a file into an `InputError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(Reason.NOT_FOUND, f"There is no file {uri}; it may have been moved since.") from error
    except remote_errors() as error:
        why = explain(uri, error) if is_url(uri) else getattr(error, "strerror", None) or str(error)
        raise InputError(Reason.UNREADABLE, f"{uri} cannot be read: {why}. Check access from the worker.") from error


@contextmanager
def opened(uri: str) -> Iterator[IO[bytes]]:
    """Open a file for as long as the block runs; what goes wrong within is translated too.

    Raises:
        InputError: it is not there, not a file, or not readable.
    """
    with translated(uri), _open_remote(uri) if is_url(uri) else _open_local(uri) as file:
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


def read_range(uri: str, offset: int, num_bytes: int) -> bytes:
    """Read a part of a file; fewer bytes where it ends. One request on an object store."""
    if is_url(uri):
        with translated(uri):
            system, path = file_system(uri)
            data: bytes = system.cat_file(path, start=offset, end=offset + num_bytes)
            return data
    with opened(uri) as file:
        file.seek(offset)
        return read_up_to(file, num_bytes)


def _open_remote(uri: str) -> IO[bytes]:
    system, path = file_system(uri)
    file: IO[bytes] = system.open(path, "rb")
    return file


def _open_local(uri: str) -> IO[bytes]:
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(uri, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise InputError(Reason.UNREADABLE, f"{uri} is {what}; expected a regular file.")
    return os.fdopen(descriptor, "rb")
