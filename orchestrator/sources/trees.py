"""Files and folders as sources see them, on local disks and behind fsspec URLs alike.

Knows nothing of images.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, Any, Protocol, cast

from core.errors import NotAllowedError, SourceError
from orchestrator.sources.sorting import Entry
from workers.access import Access, is_url
from workers.files import read_up_to
from workers.urls import describe_refusal, explain, file_system, refusal, remote_errors


class EntryKind(IntEnum):
    """What a name stands for."""

    FILE = 0
    FOLDER = 1
    OTHER = 2  # a pipe, a device, a link that leads nowhere: there, but not to be opened while planning
    LINKED_FOLDER = 3  # may lead back to where it stands, and is therefore not entered


class Tree(Protocol):
    """A place that holds files."""

    def kind(self, location: str) -> EntryKind | None:
        """What stands at a location; None if nothing does."""
        ...

    def entries(self, location: str) -> Iterator[Entry]:
        """List a folder, in no order.

        Raises:
            SourceError: the folder cannot be listed.
        """
        ...

    def open(self, location: str) -> IO[bytes]:
        """Open a file for reading.

        Raises:
            SourceError: the file cannot be opened.
        """
        ...

    def join(self, folder: str, name: str) -> str:
        """The location of a name in a folder."""
        ...


class LocalTree:
    """This machine's file systems.

    Args:
        access: what may be read of them.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    def kind(self, location: str) -> EntryKind | None:
        """What stands at a location, links followed."""
        try:
            self._access.require(location)
            mode = os.stat(location).st_mode  # noqa: PTH116  names that are not UTF-8 stay strings
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            # A name with a NUL in it, which no file has.
            return None
        except OSError as error:
            raise SourceError(_problem(location, error)) from error
        if stat.S_ISDIR(mode):
            return EntryKind.FOLDER
        return EntryKind.FILE if stat.S_ISREG(mode) else EntryKind.OTHER

    def entries(self, location: str) -> Iterator[Entry]:
        """List a folder as the operating system hands it out."""
        try:
            folder = self._access.open(location, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            # It went away while its parent was walked; the source itself was looked for before.
            return
        except OSError as error:
            raise SourceError(_problem(location, error)) from error
        try:
            with os.scandir(folder) as scan:
                for entry in scan:
                    yield Entry(os.fsencode(entry.name), _kind_of(entry))
        except OSError as error:
            raise SourceError(_problem(location, error)) from error
        finally:
            os.close(folder)

    def open(self, location: str) -> IO[bytes]:
        """Open a regular file."""
        try:
            return os.fdopen(self._access.open(location), "rb")
        except (OSError, ValueError) as error:
            raise SourceError(_problem(location, error)) from error

    def join(self, folder: str, name: str) -> str:
        """Join with one slash."""
        return os.path.join(folder, name)  # noqa: PTH118  as above


class RemoteTree:
    """What fsspec reaches.

    Args:
        access: what may be read of it.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    def kind(self, location: str) -> EntryKind | None:
        """What stands at a location; a web address always stands for a file."""
        try:
            opened, path = file_system(location, self._access)
            opened.invalidate_cache()
            info = opened.info(path)
        except FileNotFoundError:
            return None
        except remote_errors() as error:
            raise SourceError(_remote_problem(location, error, "opened")) from error
        return EntryKind.FOLDER if info["type"] == "directory" else EntryKind.FILE

    def entries(self, location: str) -> Iterator[Entry]:
        """List a folder; fsspec holds the listing of one folder in memory."""
        try:
            opened, path = file_system(location, self._access)
            listing = opened.ls(path, detail=True)
        except remote_errors() as error:
            raise SourceError(_remote_problem(location, error, "listed")) from error
        folder = path.rstrip("/")
        for info in listing:
            whole = info["name"].rstrip("/")
            # Object stores list a folder's own marker among its files.
            if whole.strip("/") != folder.strip("/"):
                kind = EntryKind.FOLDER if info["type"] == "directory" else EntryKind.FILE
                yield Entry(whole.rpartition("/")[2].encode(errors="surrogateescape"), kind)

    def open(self, location: str) -> IO[bytes]:
        """Open a file for reading and seeking."""
        try:
            opened, path = file_system(location, self._access)
            return cast("IO[bytes]", _RemoteFile(opened.open(path, "rb"), location))
        except remote_errors() as error:
            raise SourceError(_remote_problem(location, error, "opened")) from error

    def join(self, folder: str, name: str) -> str:
        """Join with one slash; the scheme's two stay."""
        return folder + name if folder.endswith("/") else f"{folder}/{name}"


class _RemoteFile(io.RawIOBase):
    """A file of fsspec's whose failures name it, whoever is reading: a table, an archive or an array.

    Args:
        file: of fsspec.
        location: its URL.
    """

    def __init__(self, file: IO[bytes], location: str) -> None:
        self.size = getattr(file, "size", None)
        self._file = file
        self._location = location

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what can be written into
        """Read as much as there is room for; less where the file ends."""
        with self._translated():
            data = read_up_to(self._file, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        with self._translated():
            self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It says so; what cannot be sought in fails when that is tried."""
        return True

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
        super().close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except remote_errors() as error:
            raise SourceError(_remote_problem(self._location, error, "read any further")) from error


def tree_of(location: str, access: Access) -> Tree:
    """The tree that a location stands in."""
    return RemoteTree(access) if is_url(location) else LocalTree(access)


def _kind_of(entry: os.DirEntry[str]) -> EntryKind:
    try:
        if entry.is_dir(follow_symlinks=False):
            return EntryKind.FOLDER
        if entry.is_dir():
            return EntryKind.LINKED_FOLDER
        return EntryKind.FILE if entry.is_file() else EntryKind.OTHER
    except OSError:
        # A link into a place that may not be entered, or a circle of links.
        return EntryKind.OTHER


def _remote_problem(location: str, error: Exception, what: str) -> str:
    refused = refusal(error)
    if refused is not None:
        return describe_refusal(location, refused)
    return f"{location} cannot be {what}: {explain(location, error)}"


def _problem(location: str, error: OSError | ValueError) -> str:
    if isinstance(error, NotAllowedError):
        return str(error)
    problem = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{location} cannot be read: {problem}. Check that it exists and that you may read it."
