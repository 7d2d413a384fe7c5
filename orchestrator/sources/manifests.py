"""Manifests as sources: lists of paths, URLs and references, in the order in which they are written."""

from collections.abc import Generator
from contextlib import closing

from core.errors import SourceError
from core.items import Item
from orchestrator.sources.references import ReferenceReader
from orchestrator.sources.specs import Items, SourceSpec
from orchestrator.sources.tables import READERS, ROW_READERS, RowReader, TableReader
from orchestrator.sources.trees import tree_of
from workers.access import Access, is_url
from workers.urls import is_web, without_file_scheme


class EntryReader:
    """Turns what a manifest says of an image into an item.

    Args:
        access: what may be read.
        spec: the manifest, and whether its entries may be web addresses.
    """

    def __init__(self, access: Access, spec: SourceSpec) -> None:
        self._tree = tree_of(spec.location, access)
        self._spec = spec
        self._folder = spec.location.rpartition("/")[0] or "/"
        self._references = ReferenceReader(access)

    def item(self, entry: str, position: int) -> Item:
        """Find where an entry's image is; paths are relative to the manifest.

        Raises:
            SourceError: it is a web address, and those are not allowed.
        """
        self.require_allowed(entry)
        locator = self._references.locator(self._location_of(entry))
        return Item(name=entry, locator=locator, cursor=str(position))

    def require_allowed(self, entry: str) -> None:
        """Refuse web addresses that nobody allowed.

        Raises:
            SourceError: it is one.
        """
        if is_web(entry) and not self._spec.allow_http:
            raise SourceError(
                f"{self._spec.location} names the web address {entry}; say --allow-http if workers may fetch it."
            )

    def _location_of(self, entry: str) -> str:
        if is_url(entry):
            return without_file_scheme(entry)
        return entry if entry.startswith("/") else self._tree.join(self._folder, entry)


class ManifestSource:
    """Every entry of a manifest. Whether the images exist is seen when they are read.

    Args:
        access: what may be read.
        spec: the manifest, its column, and whether its entries may be web addresses.
        reader: knows the manifest's format.
    """

    def __init__(self, access: Access, spec: SourceSpec, reader: TableReader) -> None:
        self.num_skipped = 0
        self._access = access
        self._tree = tree_of(spec.location, access)
        self._spec = spec
        self._reader = reader

    def check(self) -> None:
        """Read the manifest once: a bad line should be known before a job is made of the good ones."""
        images = EntryReader(self._access, self._spec)
        for _, entry in self._entries():
            if entry is not None:
                images.require_allowed(entry)

    def items(self, after: str | None = None) -> Items:
        """Enumerate the entries; rows with an empty cell are counted as skipped."""
        last_position = -1 if after is None else int(after)
        images = EntryReader(self._access, self._spec)
        with closing(self._entries(last_position)) as entries:
            for position, entry in entries:
                if entry is None:
                    self.num_skipped += 1
                    continue
                yield images.item(entry, position)

    def _entries(self, last_position: int = -1) -> Generator[tuple[int, str | None], None, None]:
        with self._tree.open(self._spec.location) as file:
            for position, entry in enumerate(self._reader(file, self._spec.location, self._spec.column)):
                if position > last_position:
                    yield position, entry


def manifest_reader(name: str) -> TableReader | None:
    """What reads a manifest of this name; None if the name is no manifest's."""
    return READERS.get(name.rpartition(".")[2].lower())


def row_reader(name: str) -> RowReader | None:
    """What reads several columns of a manifest of this name; None if it has none."""
    return ROW_READERS.get(name.rpartition(".")[2].lower())
