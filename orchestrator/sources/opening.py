"""From what a user names to a source: told by what stands there, then by its name, then as a pattern."""

import re
from urllib.parse import urlsplit

from core.errors import SourceError
from core.items import FileLocator
from orchestrator.sources.archives import ArchiveSource
from orchestrator.sources.arrays import ArraySource
from orchestrator.sources.folders import FolderSource
from orchestrator.sources.globs import Glob, has_magic, split_pattern
from orchestrator.sources.manifests import ManifestSource, manifest_reader
from orchestrator.sources.references import ReferenceReader, container_of
from orchestrator.sources.singles import SingleSource
from orchestrator.sources.specs import Source, SourceSpec
from orchestrator.sources.trees import EntryKind, Tree, tree_of
from workers.access import Access
from workers.archives import is_archive_name
from workers.ml.formats import NUM_SNIFFED_BYTES, has_image_name, sniff
from workers.urls import is_web

_ARRAY_NAME = re.compile(r".+\.npy", re.IGNORECASE | re.DOTALL)


def open_source(spec: SourceSpec, access: Access) -> Source:
    """Find out what a source is.

    Args:
        spec: what was named.
        access: what may be read.

    Raises:
        SourceError: there is nothing there, or nothing that holds images.
    """
    if is_web(spec.location) and not spec.allow_http:
        raise SourceError(f"{spec.text} is a web address; say --allow-http if workers may fetch from it.")
    tree = tree_of(spec.location, access)
    container = container_of(spec.location)
    # To HTTP, the part behind `#` does not exist: what such a URL names would be the container.
    if container and is_web(spec.location):
        return _open_reference(spec, container, access)
    match tree.kind(spec.location):
        case EntryKind.FOLDER:
            return FolderSource(tree, spec.location, spec.text.rstrip("/") or "/")
        case EntryKind.FILE:
            return _open_file(tree, spec, access)
        case None if container:
            return _open_reference(spec, container, access)
        case None if has_magic(spec.text):
            return open_pattern(tree, spec)
        case None:
            raise SourceError(f"{spec.text} does not exist. Check the path; what was looked for is {spec.location}.")
        case _:
            raise SourceError(f"{spec.text} is neither a file nor a folder.")


def open_pattern(tree: Tree, spec: SourceSpec) -> FolderSource:
    """Open what a glob pattern matches."""
    root, rest = split_pattern(spec.text)
    # Only the user's own text is a pattern; the working folder's name may hold brackets too.
    location = spec.location.removesuffix(rest)
    return FolderSource(tree, location.rstrip("/") or "/", root, pattern=Glob(rest))


def is_container(name: str) -> bool:
    """Whether a file's name says that it holds or lists images rather than being one."""
    return bool(_ARRAY_NAME.fullmatch(name)) or is_archive_name(name) or manifest_reader(name) is not None


def _open_file(tree: Tree, spec: SourceSpec, access: Access) -> Source:
    name = urlsplit(spec.location).path if is_web(spec.location) else spec.location
    if _ARRAY_NAME.fullmatch(name):
        return ArraySource(tree, spec.location, spec.text)
    if is_archive_name(name):
        return ArchiveSource(tree, spec.location, spec.text)
    if reader := manifest_reader(name):
        return ManifestSource(access, spec, reader)
    with tree.open(spec.location) as file:
        head = file.read(NUM_SNIFFED_BYTES)
    if has_image_name(name.rpartition("/")[2]) or sniff(head) is not None:
        return SingleSource(spec.text, FileLocator(spec.location))
    raise SourceError(
        f"{spec.text} holds no image. Expected an image, a folder, a manifest (.txt, .lst, .csv, .jsonl, .parquet), "
        "an array (.npy) or an archive (.tar, .tar.gz, …)."
    )


def _open_reference(spec: SourceSpec, container: str, access: Access) -> SingleSource:
    if tree_of(container, access).kind(container) != EntryKind.FILE:
        raise SourceError(f"{spec.text} does not exist: there is no file {container}.")
    return SingleSource(spec.text, ReferenceReader(access).locator(spec.location))
