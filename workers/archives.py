"""Tar archives, compressed or not, for those who plan from them and those who read from them."""

import bz2
import gzip
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

_ARCHIVE_NAME = re.compile(r".+\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))", re.IGNORECASE | re.DOTALL)
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"

NUM_HEAD_BYTES = len(_XZ)

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
        starting again.
    """
    head = file.read(NUM_HEAD_BYTES)
    file.seek(0)
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if head.startswith(_BZIP2):
        return cast("IO[bytes]", bz2.BZ2File(file))
    if head.startswith(_XZ):
        return cast("IO[bytes]", lzma.LZMAFile(file))
    return file


def regular_members(stream: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """Walk the members of an uncompressed tar that are plain files, without holding them all.

    Raises:
        tarfile.ReadError: the archive is damaged, or ends before its end mark.
    """
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while (member := archive.next()) is not None:
            # It keeps every member for random access, and a web-scale archive has millions.
            archive.members.clear()  # type: ignore[attr-defined]  # typeshed leaves it out
            if member.isreg() and not member.issparse():
                yield member
        # tarfile takes a header that it cannot read for the end, and would lose the rest without a word.
        stream.seek(archive.offset)
        if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"no readable header at byte {archive.offset}")
