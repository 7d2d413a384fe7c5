"""Where images come from in tests: archives made on the spot, and a real web server on a folder."""

import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep requests out of the tests' output."""
