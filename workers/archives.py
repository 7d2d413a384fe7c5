"""Tar archives, compressed or not, for those who plan from them and those who read from them.

Nothing is ever extracted: a member is a place in a stream, its name a label, so that no name can lead anywhere, and
links and devices are passed over. What is left to fear are archives that grow without end, which have limits here.
"""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, TypeVar, cast

_Result = TypeVar("_Result")

_ARCHIVE_NAME = re.compile(r".+\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))", re.IGNORECASE | re.DOTALL)
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"

NUM_HEAD_BYTES = len(_XZ)

# A compressed archive may grow to this size at least, and to this many times its own.
FREE_EXPANSION_NUM_BYTES = 1024**3
MAX_EXPANSION = 100
MAX_NUM_MEMBERS = 10_000_000
# What one member may have before its data: names, times, attributes, the map of a sparse file.
MAX_HEADER_NUM_BYTES = 64 * 1024
_SKIPPED_AT_ONCE_NUM_BYTES = 1024**2


class ArchiveLimitError(tarfile.TarError):
    """An archive grows beyond what one of images needs."""


# What a damaged archive makes the standard library raise.
ARCHIVE_ERRORS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError)


def is_archive_name(name: str) -> bool:
    """Whether a name says that the file is a tar archive."""
    return bool(_ARCHIVE_NAME.fullmatch(name))


def is_compressed(head: bytes) -> bool:
    """Whether a file's first bytes are those of a compression, in which nothing can be sought."""
    return head.startswith((_GZIP, _BZIP2, _XZ))


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Look through a compression, told by content.

    Returns:
        The file itself if it is not compressed, else a stream that can be sought in forwards cheaply, backwards by
        starting again. It raises `ArchiveLimitError` where it grows out of proportion.
    """
    head = file.read(NUM_HEAD_BYTES)
    file.seek(0)
    if head.startswith(_GZIP):
        return _expanding(gzip.GzipFile(fileobj=file), file)
    if head.startswith(_BZIP2):
        return _expanding(bz2.BZ2File(file), file)
    if head.startswith(_XZ):
        return _expanding(lzma.LZMAFile(file), file)
    return file


def regular_members(stream: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """Walk the members of an uncompressed tar that are plain files, without holding them all.

    Raises:
        tarfile.ReadError: the archive is damaged, or ends before its end mark.
        ArchiveLimitError: it has too many members, or one with too long a header.
    """
    headers = _Headers(stream)
    with _read(headers, lambda: tarfile.open(fileobj=cast("IO[bytes]", headers), mode="r:")) as archive:
        num_members, last_offset = 0, -1
        while (member := _read(headers, archive.next)) is not None:
            # It keeps every member for random access, and a web-scale archive has millions.
            archive.members.clear()  # type: ignore[attr-defined]  # typeshed leaves it out
            num_members += 1
            if num_members > MAX_NUM_MEMBERS:
                raise ArchiveLimitError(f"it has more than {MAX_NUM_MEMBERS:,} members; divide it")
            if member.offset_data <= last_offset:
                # A negative size leads back, and round and round.
                raise tarfile.ReadError(f"{member.name!r} ends before it begins")
            last_offset = member.offset_data
            if member.isreg() and not member.issparse():
                yield member
        # tarfile takes a header that it cannot read for the end, and would lose the rest without a word.
        stream.seek(archive.offset)
        if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"no readable header at byte {archive.offset}")


class _Expanding(io.RawIOBase):
    """What a compressed file holds, as long as it does not grow out of proportion.

    Args:
        content: decompresses.
        packed: where it reads from.
    """

    def __init__(self, content: IO[bytes], packed: IO[bytes]) -> None:
        self._content = content
        self._packed = packed
        self._position = 0

    def read(self, num_bytes: int = -1) -> bytes:
        """Read so many bytes, fewer where it ends."""
        data = self._content.read(num_bytes)
        self._position += len(data)
        if self._position > max(FREE_EXPANSION_NUM_BYTES, MAX_EXPANSION * self._packed.tell()):
            raise ArchiveLimitError(
                f"it grows to more than {MAX_EXPANSION} times its size, {self._position:,} bytes so far, as images "
                "do not. If it is meant, unpack it and name the folder"
            )
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, forwards by reading, so that the limit holds there too."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only places from the start can be sought")
        if offset < self._position:
            self._position = self._content.seek(offset)
        while self._position < offset:
            if not self.read(min(offset - self._position, _SKIPPED_AT_ONCE_NUM_BYTES)):
                break
        return self._position

    def tell(self) -> int:
        """The place."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Let go of what decompresses."""
        self._content.close()
        super().close()


class _Headers:
    """A tar as `tarfile` reads it, header by header; it believes whatever length a header says."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.num_bytes_left = 0
        self.seek = stream.seek
        self.tell = stream.tell
        self._stream = stream

    def read(self, num_bytes: int) -> bytes:
        """Read a part of a header."""
        # Of a negative size `tarfile` makes a negative number of bytes, which means all there are.
        if not 0 <= num_bytes <= self.num_bytes_left:
            raise ArchiveLimitError(
                f"a member's header has more than {MAX_HEADER_NUM_BYTES:,} bytes, or less than none"
            )
        self.num_bytes_left -= num_bytes
        return self._stream.read(num_bytes)


def _read(headers: _Headers, read: Callable[[], _Result]) -> _Result:
    """Read one member's header, however wrong it is."""
    headers.num_bytes_left = MAX_HEADER_NUM_BYTES
    try:
        return read()
    except (ValueError, OverflowError, LookupError, RecursionError) as error:
        raise tarfile.ReadError(f"a header that cannot be read: {error}") from error


def _expanding(content: object, packed: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Expanding(cast("IO[bytes]", content), packed))
