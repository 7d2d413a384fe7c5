"""Unpacking ZIP archives, whose sizes and names are believed in nothing.

Tar archives are not unpacked at all: they are sources as they are (`workers.archives`).
"""

import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from core.errors import UploadError, UploadTooLargeError
from orchestrator.uploads.naming import file_path

# What an archive's list of contents may take; `zipfile` reads it at once and keeps every entry.
MAX_DIRECTORY_BYTES = 16 * 1024**2
_ENCRYPTED = 0x1
# `zipfile` unpacks the others whole, whatever it is asked for: a megabyte of bzip2 or LZMA becomes gigabytes of memory.
# Source: ISO/IEC 21320-1, whose documents are archives of these two alone.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE_BYTES = 1024**2
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)

# Takes so many bytes of what an upload may still hold; raises `UploadError` if there is no room.
Take = Callable[[int], None]


def is_zip(path: Path) -> bool:
    """Whether a file's name says that it is an archive to be unpacked, and leaves a name for the folder."""
    return path.suffix.lower() == ".zip" and bool(path.stem.strip("."))


def unpack(archive: Path, folder: Path, *, max_files: int, take: Take) -> int:
    """Unpack an archive.

    Args:
        archive: the ZIP file.
        folder: where its files go; new and empty.
        max_files: how many it may hold.
        take: told of each piece before it is written.

    Returns:
        How many files there were.

    Raises:
        UploadError: it is damaged, encrypted or compressed by another method than Deflate, holds too much, or a name or
            link that leads elsewhere.
    """
    try:
        with archive.open("rb") as file, zipfile.ZipFile(cast("IO[bytes]", _Wary(file))) as content:
            members = [member for member in content.infolist() if not member.is_dir()]
            if len(members) > max_files:
                raise UploadTooLargeError(
                    f"{archive.name} holds {len(members):,} files. Expected at most {max_files:,}."
                )
            if not members:
                raise UploadError(f"{archive.name} holds no file. Expected images, or tables of them.")
            targets = [_target(member, folder, archive.name) for member in members]
            for member, target in zip(members, targets, strict=True):
                _extract(content, member, target, take)
    except _DAMAGES as error:
        raise UploadError(f"{archive.name} cannot be unpacked: {error}. Expected a sound ZIP archive.") from error
    return len(members)


def _target(member: zipfile.ZipInfo, folder: Path, archive_name: str) -> Path:
    if member.flag_bits & _ENCRYPTED:
        raise UploadError(f"{archive_name} is encrypted. Expected an archive without a password.")
    if member.compress_type not in _COMPRESSIONS:
        raise UploadError(
            f"{archive_name} holds {member.filename!r}, compressed by method {member.compress_type}. Expected Deflate, "
            "which all programs can write, or none."
        )
    # The upper half holds what Unix says of the file; nothing where the archive was made elsewhere.
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UploadError(
            f"{archive_name} holds {member.filename!r}, which is a link or a device. Expected plain files."
        )
    return file_path(folder, member.filename)


def _extract(content: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, take: Take) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with content.open(member) as packed, target.open("xb") as file:
            while piece := packed.read(_PIECE_BYTES):
                take(len(piece))
                file.write(piece)
    except (FileExistsError, NotADirectoryError):
        raise UploadError(
            f"Two of the archive's files are called {member.filename!r}, or one is the other's folder."
        ) from None


class _Wary:
    """An archive as `zipfile` reads it, which believes how long the archive says that its list of contents is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable
        self.close = file.close

    def read(self, num_bytes: int = -1) -> bytes:
        """Read so many bytes."""
        if not 0 <= num_bytes <= MAX_DIRECTORY_BYTES:
            if num_bytes < 0:
                return self._file.read(MAX_DIRECTORY_BYTES)
            raise zipfile.BadZipFile(
                f"its list of contents takes {num_bytes:,} bytes, more than {MAX_DIRECTORY_BYTES:,}"
            )
        return self._file.read(num_bytes)
