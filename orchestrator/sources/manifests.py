"""Manifests as sources: lists of paths, URLs and references, in the order in which they are written."""

from collections.abc import Generator
from contextlib import closing

from core.errors import SourceError
from core.items import Item
from orchestrator.sources.references import ReferenceReader
from orchestrator.sources.specs import Items, SourceSpec
from orchestrator.sources.tables import READERS, TableReader
from orchestrator.sources.trees import Tree
from workers.urls import is_url, is_web, without_file_scheme


class ManifestSource:
    """Every entry of a manifest. Whether the images exist is seen when they are read.

    Args:
        tree: where the manifest is.
        spec: the manifest, its column, and whether its entries may be web addresses.
        reader: knows the manifest's format.
    """

    def __init__(self, tree: Tree, spec: SourceSpec, reader: TableReader) -> None:
        self.num_skipped = 0
        self._tree = tree
        self._spec = spec
        self._reader = reader
        self._folder = spec.location.rpartition("/")[0] or "/"

    def check(self) -> None:
        """Read the manifest once: a bad line should be known before a job is made of the good ones."""
        for _, entry in self._entries():
            self._require_allowed(entry)

    def items(self, after: str | None = None) -> Items:
        """Enumerate the entries; rows with an empty cell are counted as skipped."""
        last_position = -1 if after is None else int(after)
        references = ReferenceReader()
        with closing(self._entries(last_position)) as entries:
            for position, entry in entries:
                if entry is None:
                    self.num_skipped += 1
                    continue
                self._require_allowed(entry)
                locator = references.locator(self._location_of(entry))
                yield Item(name=entry, locator=locator, cursor=str(position))

    def _entries(self, last_position: int = -1) -> Generator[tuple[int, str | None], None, None]:
        with self._tree.open(self._spec.location) as file:
            for position, entry in enumerate(self._reader(file, self._spec.location, self._spec.column)):
                if position > last_position:
                    yield position, entry

    def _location_of(self, entry: str) -> str:
        if is_url(entry):
            return without_file_scheme(entry)
        return entry if entry.startswith("/") else self._tree.join(self._folder, entry)

    def _require_allowed(self, entry: str | None) -> None:
        if entry is not None and is_web(entry) and not self._spec.allow_http:
            raise SourceError(
                f"{self._spec.location} names the web address {entry}; say --allow-http if workers may fetch it."
            )


def manifest_reader(name: str) -> TableReader | None:
    """What reads a manifest of this name; None if the name is no manifest's."""
    return READERS.get(name.rpartition(".")[2].lower())
