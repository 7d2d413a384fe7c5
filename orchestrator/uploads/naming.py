"""Names of uploaded files: what may become a path below an upload's folder, and nothing else."""

import re
from pathlib import Path, PurePosixPath

from core.errors import UploadError

_MAX_PART_BYTES = 255  # what file systems take
_MAX_DEPTH = 16
# Systems take paths of 4,096 bytes: the folders before it, an archive's name, and a name in the archive.
_MAX_NAME_BYTES = 1024
_UPLOAD = re.compile(r"upload:([0-9a-f]{16})(?:/(.+))?", re.DOTALL)


def upload_place(text: str) -> tuple[str, str | None] | None:
    """The upload that a source names, and the file in it if it names one; None: it names no upload."""
    match = _UPLOAD.fullmatch(text)
    return None if match is None else (match[1], match[2])


def file_path(folder: Path, name: str) -> Path:
    """Where a file of that name belongs.

    Args:
        folder: the upload's.
        name: as it was sent; folders in it are separated by slashes.

    Raises:
        UploadError: it would lead elsewhere, or cannot be a file's name.
    """
    parts = PurePosixPath(name).parts
    is_plain = 0 < len(parts) <= _MAX_DEPTH and not name.endswith("/") and all(map(_is_plain, parts))
    if not is_plain or len(name.encode()) > _MAX_NAME_BYTES:
        raise UploadError(
            f"Received {name[:200]!r} as a file's name. Expected one such as cat.jpg or cats/1.jpg: no leading slash, "
            f"no '..', no control characters, at most {_MAX_DEPTH} folders deep, {_MAX_PART_BYTES} bytes a part and "
            f"{_MAX_NAME_BYTES:,} bytes in all."
        )
    return folder.joinpath(*parts)


def _is_plain(part: str) -> bool:
    if part in ("..", "/") or any(ord(character) < ord(" ") or ord(character) == 0x7F for character in part):  # noqa: PLR2004 - DEL
        return False
    try:
        return len(part.encode()) <= _MAX_PART_BYTES
    except UnicodeEncodeError:
        return False
