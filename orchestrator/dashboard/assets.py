"""Files that pages load. Their addresses name their content, so browsers keep them for good and never keep old ones.

Times of files would not do: what comes out of a wheel may be as old as ever the next version is.
"""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("static")
PREFIX = "/static"
_NUM_DIGITS = 12
_FOR_GOOD = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Serves the files, and tells browsers how long to keep them."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)
        self._addresses = {
            path.relative_to(FOLDER).as_posix(): f"{PREFIX}/{path.relative_to(FOLDER).as_posix()}?v={_digest(path)}"
            for path in FOLDER.rglob("*")
            if path.is_file()
        }

    def address(self, name: str) -> str:
        """Where a page finds a file.

        Raises:
            KeyError: there is no such file.
        """
        return self._addresses[name]

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, kept for good if it was asked for by its content."""
        response = await super().get_response(path, scope)
        address = f"{PREFIX}/{path}?{scope['query_string'].decode('latin-1')}"
        response.headers["Cache-Control"] = _FOR_GOOD if address == self._addresses.get(path) else "no-cache"
        return response


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_NUM_DIGITS]
