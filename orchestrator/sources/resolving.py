"""Checking sources before a job is accepted: nothing is written for a source that cannot be labelled."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from core.errors import SourceError
from orchestrator.sources.globs import has_magic
from orchestrator.sources.opening import is_container, open_pattern, open_source
from orchestrator.sources.specs import Source, SourceSpec
from orchestrator.sources.trees import tree_of
from orchestrator.uploads.naming import upload_place
from workers.access import Access, is_url
from workers.urls import is_web, without_file_scheme

_PASSWORD = re.compile(r"[a-z0-9+.-]+://[^/?#@]*:[^/?#@]*@", re.IGNORECASE)


def resolve_sources(
    texts: Sequence[str],
    access: Access,
    *,
    column: str | None = None,
    allow_http: bool = False,
    cwd: Path | None = None,
) -> list[SourceSpec]:
    """Check what a user named.

    Args:
        texts: paths, patterns, URLs.
        access: what may be read.
        column: the column of manifests that holds the images.
        allow_http: whether http(s) addresses may be opened.
        cwd: what relative paths are relative to; the process's working folder by default.

    Returns:
        One spec per source, in order; a pattern of archives, arrays or manifests becomes one per match.

    Raises:
        SourceError: a source does not exist, holds no image, or is not what its name says.
    """
    specs = [
        spec
        for text in texts
        for spec in _expand(SourceSpec(text, locate(text, cwd or Path.cwd(), access), column, allow_http), access)
    ]
    for spec in specs:
        source = open_source(spec, access)
        source.check()
        require_image(source, spec.text)
    return specs


def require_image(source: Source, text: str) -> None:
    """Look for the first image.

    Raises:
        SourceError: there is none.
    """
    with closing(source.items()) as items:
        if next(items, None) is not None:
            return
    passed_over = f"; {source.num_skipped} other files were passed over" if source.num_skipped else ""
    raise SourceError(
        f"{text} holds no image{passed_over}. Expected files such as .jpg, .png, .webp, .bmp, .tif, .gif."
    )


def locate(text: str, cwd: Path, access: Access) -> str:
    """Make a path absolute, and find where an upload lies; URLs stay as they are.

    Args:
        text: as a user names it.
        cwd: what relative paths are relative to.
        access: knows where uploads lie.

    Raises:
        SourceError: there is no text, or it holds a password.
    """
    if not text:
        raise SourceError("A source is empty; expected a path, a pattern or a URL.")
    if any(_PASSWORD.match(part) for part in text.split("::")):
        # It would become a part of the job's name and of every image's. The text itself is not repeated either.
        raise SourceError(
            "A source's URL holds a password, which would be stored with the job and shown. Expected a URL without; "
            "give it by the storage's own settings, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://."
        )
    if (upload := upload_place(text)) is not None:
        return os.path.join(access.upload_folder, *filter(None, upload))  # noqa: PTH118 - as below
    text = without_file_scheme(text)
    if is_url(text):
        return text
    location = os.path.join(cwd, text)  # noqa: PTH118  names that are not UTF-8 stay strings, `..` and links as they are
    # A pattern is taken apart again later and must end as the user wrote it.
    return location if has_magic(text) else location.rstrip("/") or "/"


def _expand(spec: SourceSpec, access: Access) -> Iterator[SourceSpec]:
    """Make one spec per match of a pattern such as `shards/*.tar`, which matches no images but what holds them."""
    is_pattern = has_magic(spec.text) and is_container(spec.text) and not is_web(spec.location)
    tree = tree_of(spec.location, access)
    if not is_pattern or tree.kind(spec.location) is not None:
        yield spec
        return
    num_matches = 0
    for name, location in open_pattern(tree, spec).matches():
        num_matches += 1
        yield SourceSpec(name, location, spec.column, spec.allow_http)
    if not num_matches:
        raise SourceError(f"Nothing matches {spec.text}.")
