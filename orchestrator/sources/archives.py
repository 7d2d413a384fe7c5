"""Tar archives as sources, WebDataset's shards among them: every image in the order of the archive."""

from tarfile import TarInfo
from typing import IO

from core.errors import SourceError
from core.items import Item, MemberLocator
from orchestrator.sources.specs import Items
from orchestrator.sources.trees import Tree
from workers.archives import ARCHIVE_ERRORS, ArchiveLimitError, decompressed, regular_members
from workers.ml.formats import NUM_SNIFFED_BYTES, has_image_name, sniff


class ArchiveSource:
    """Every image of one archive. Hidden members are no part of it; others that are no images are counted.

    Args:
        tree: where the archive is.
        location: the archive.
        name: what the images' names begin with.
    """

    def __init__(self, tree: Tree, location: str, name: str) -> None:
        self.num_skipped = 0
        self._tree = tree
        self._location = location
        self._name = name

    def check(self) -> None:
        """Nothing more than the first member can be looked at without reading the whole archive."""

    def items(self, after: str | None = None) -> Items:
        """Enumerate the images; where their data starts is all that is kept of them."""
        last_offset = -1 if after is None else int(after)
        try:
            with self._tree.open(self._location) as file, decompressed(file) as stream:
                for member in regular_members(stream):
                    if member.offset_data <= last_offset or _is_hidden(member.name):
                        continue
                    if _is_image(stream, member):
                        yield self._item(member)
                    else:
                        self.num_skipped += 1
        except ArchiveLimitError as error:
            raise SourceError(f"{self._location} is refused: {error}.") from error
        except ARCHIVE_ERRORS as error:
            raise SourceError(
                f"{self._location} cannot be read as a tar archive: {error}. Check that it is complete."
            ) from error

    def _item(self, member: TarInfo) -> Item:
        locator = MemberLocator(self._location, member.name, member.offset_data, member.size)
        return Item(name=f"{self._name}#{member.name}", locator=locator, cursor=str(member.offset_data))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _is_image(stream: IO[bytes], member: TarInfo) -> bool:
    if has_image_name(member.name.rpartition("/")[2]):
        return True
    stream.seek(member.offset_data)
    found = sniff(stream.read(min(NUM_SNIFFED_BYTES, member.size)))
    return found is not None and not found.is_document
