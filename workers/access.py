"""What may be read: the folders, buckets and hosts that the settings name.

Planners ask before they accept a source, readers again when they open each image: a link may have been turned since,
and a job may have been accepted elsewhere. Knows nothing of jobs, of images, or of how a URL is fetched.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from core.errors import NotAllowedError
from core.settings import Settings

# What a URL may begin with. fsspec knows many more: some open local files or other URLs, whatever their name says.
WEB_SCHEMES = frozenset({"http", "https"})
STORE_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
_SAME_SCHEME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
_DEFAULT_PORTS = {"http": 80, "https": 443}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PROC_FILES = "/proc/self/fd"


def is_url(text: str) -> bool:
    """Whether a text names something through fsspec rather than a local path."""
    return bool(_SCHEME.match(text)) or ("::" in text and "://" in text)


def missing_roots(settings: Settings) -> list[str]:
    """Local folders of LABELYARD_SOURCE_ROOTS that are not there; whether a bucket is, only a source tells."""
    return [root for root in settings.source_roots if not is_url(root) and not Path(root).expanduser().exists()]


def scheme_of(url: str) -> str:
    """What a URL begins with, in small letters."""
    return url.partition("://")[0].lower()


@dataclass(frozen=True, slots=True)
class Access:
    """What one process may read. The default is all of it, but for private hosts."""

    roots: tuple[str, ...] = ()  # local ones without links, and URL prefixes; empty: everything
    allow_private_hosts: bool = False  # whether http(s) may reach this machine and its neighbours
    url_timeout_s: float = 20.0  # how long one read from the web may take, retries included
    upload_folder: str = ""  # where uploads lie; a source `upload:ID` is a folder in it

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings allow. What came by HTTP may be read wherever anything may."""
        places = [*settings.source_roots, str(settings.upload_folder)] if settings.source_roots else []
        roots = tuple(root if is_url(root) else os.path.realpath(Path(root).expanduser()) for root in places)
        return cls(roots, settings.allow_private_hosts, settings.url_timeout_s, str(settings.upload_folder))

    def require(self, location: str) -> None:
        """Make sure that a path or URL may be read, after `..` and links are resolved.

        Raises:
            NotAllowedError: it may not.
        """
        if is_url(location):
            _require_known(location)
            if self.roots and not any(_is_below(location, root) for root in self.roots if is_url(root)):
                raise self._outside(location)
        elif self.roots:
            self._require_path(os.path.realpath(location), location)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open a local file or folder, and look where the descriptor leads.

        Between a look at a path and its opening somebody may put a link there; not behind an open descriptor.

        Returns:
            The descriptor.

        Raises:
            NotAllowedError: it is outside the roots.
            OSError: it cannot be opened.
        """
        # First, so that nothing outside is touched as long as nobody plays tricks.
        self.require(path)
        # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
        if self.roots:
            try:
                self._require_path(_path_of(descriptor, path), path)
            except OSError:
                os.close(descriptor)
                raise
        return descriptor

    def _require_path(self, real: str, path: str) -> None:
        if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in self.roots):
            raise self._outside(path, real)

    def _outside(self, location: str, real: str | None = None) -> NotAllowedError:
        leads = "" if real in (None, location) else f", which leads to {real},"
        # Nobody moves anything into the folder of uploads by hand.
        shown = [root for root in self.roots if root != os.path.realpath(self.upload_folder)]
        return NotAllowedError(
            f"{location}{leads} is outside of what may be read here: {', '.join(shown)}. Move it there, or have "
            "it added to LABELYARD_SOURCE_ROOTS."
        )


def _path_of(descriptor: int, path: str) -> str:
    """Where an open file is, without links."""
    if os.path.isdir(_PROC_FILES):  # noqa: PTH112 - asked for each image
        return os.readlink(f"{_PROC_FILES}/{descriptor}")  # noqa: PTH115 - as above
    real = os.path.realpath(path)
    if not os.path.samestat(os.fstat(descriptor), os.stat(real, follow_symlinks=False)):  # noqa: PTH116 - as above
        raise NotAllowedError(f"{path} was exchanged while it was opened.")
    return real


def _require_known(url: str) -> None:
    # Two colons are nothing special on the web: in queries, or in addresses such as http://[::1]/.
    if "::" in url and scheme_of(url) not in WEB_SCHEMES:
        raise NotAllowedError(f"{url} chains file systems, which is refused; name the file itself.")
    if scheme_of(url) not in WEB_SCHEMES | STORE_SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in sorted(WEB_SCHEMES | STORE_SCHEMES - {"memory"}))
        raise NotAllowedError(f"{url} begins with {scheme_of(url)}://, which is refused; expected a path, or {known}.")


def _is_below(url: str, root: str) -> bool:
    parts, first = _parts(url), _parts(root)
    # Servers differ in what they make of dots and slashes that are written out or in percent signs.
    names = [name for part in parts for name in unquote(unquote(part)).split("/")]
    has_dots = any(name in (".", "..") or "\\" in name for name in names)
    return not has_dots and parts[: len(first)] == first


def _parts(url: str) -> list[str]:
    """Scheme, host or bucket, and the names on the way."""
    scheme, rest = scheme_of(url), url.partition("://")[2]
    if scheme not in WEB_SCHEMES:
        return [_SAME_SCHEME.get(scheme, scheme), *rest.rstrip("/").split("/")]
    split = urlsplit(url)
    port = split.port or _DEFAULT_PORTS[scheme]
    return [scheme, f"{split.hostname}:{port}", *filter(None, split.path.split("/"))]
