"""Locations that are URLs: what fsspec opens, what only `--allow-http` may open, and what a failure means.

Shared by planners and readers. fsspec is imported when a URL is met, never before. What may be opened at all, `access`
decides; nothing here opens what it was not asked about.
"""

import re
import sys
from typing import Any

from core.errors import NotAllowedError
from workers.access import Access, scheme_of

_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)
# The extras of this package that bring a file system.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
# Errors of client libraries that derive from neither OSError nor ValueError: (module, class).
_FOREIGN_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)


def is_web(url: str) -> bool:
    """Whether opening a URL, or any link of a chained one, sends an HTTP request to whatever host it names."""
    return any(part.lower().startswith(("http://", "https://")) for part in url.split("::"))


def without_file_scheme(text: str) -> str:
    """Turn `file:///a/b` into `/a/b`; leave anything else as it is."""
    match = _LOCAL.match(text)
    return text[match.end() :] if match else text


def file_system(url: str, access: Access) -> tuple[Any, str]:
    """Open the file system that a URL names.

    Returns:
        The fsspec file system, and the URL's path in it.

    Raises:
        ImportError: the package for this protocol is missing; see `explain`.
        NotAllowedError: the URL may not be read.
    """
    access.require(url)
    if is_web(url):
        from workers.web import GuardedFileSystem  # noqa: PLC0415  only those who use URLs wait for fsspec

        return GuardedFileSystem(access), url
    from fsspec.core import url_to_fs  # noqa: PLC0415  as above

    opened, path = url_to_fs(url)
    return opened, path


def remote_errors() -> tuple[type[Exception], ...]:
    """Every error by which a file system says that it could not; to be caught around its calls."""
    loaded = [getattr(sys.modules[module], name, None) for module, name in _FOREIGN_ERRORS if module in sys.modules]
    return (OSError, ValueError, ImportError, *(error for error in loaded if error is not None))


def refusal(error: BaseException | None) -> NotAllowedError | None:
    """The refusal that an error goes back to; client libraries wrap it in errors of their own."""
    seen = set()  # causes may go round in a circle
    while error is not None and not isinstance(error, NotAllowedError) and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return error if isinstance(error, NotAllowedError) else None


def describe_refusal(location: str, refused: NotAllowedError) -> str:
    """Say in one sentence that a location is not read."""
    return str(refused) if location in str(refused) else f"{location} is not read: {refused}."


def explain(url: str, error: Exception) -> str:
    """Say in one sentence why a URL could not be opened, and how to mend it."""
    protocol = scheme_of(url)
    if isinstance(error, ImportError):
        extra = _EXTRAS.get(protocol)
        mend = f"pip install 'labelyard[{extra}]'" if extra else str(error)
        return f"{protocol}:// needs a package that is not installed: {mend}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return " ".join(f"{type(error).__name__}: {error}".split())
