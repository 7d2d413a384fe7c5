"""Where images come from in tests: archives made on the spot, and a real web server on a folder."""

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from web_servers import Quiet, serving

# Enough of an image for what never decodes.
JPEG = b"\xff\xd8\xff\xe0 and so on"


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w:gz") -> dict[str, tuple[int, int]]:
    """Write an archive.

    Returns:
        Where each member's data starts in the uncompressed tar, and its length.
    """
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with tarfile.open(path) as archive:
        return {member.name: (member.offset_data, member.size) for member in archive}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine; yields its address."""
    with serving(partial(_Handler, directory=str(folder))) as address:
        yield address


class _Handler(Quiet, SimpleHTTPRequestHandler):
    pass
