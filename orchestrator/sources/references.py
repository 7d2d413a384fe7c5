"""References to one image inside a container: `array.npy#17`, `photos.tar#folder/a.jpg`."""

import re
from functools import lru_cache, partial

from core.errors import SourceError
from core.items import ArrayLocator, FileLocator, Locator, MemberLocator
from orchestrator.sources.arrays import read_image_header, read_scale
from orchestrator.sources.trees import tree_of
from workers.access import Access
from workers.archives import ARCHIVE_ERRORS, decompressed, regular_members

# Containers whose insides are kept at hand; a manifest tends to name the items of one after the other.
_NUM_KEPT = 4
# What a locator says of a member that its archive does not hold; its reader reports it.
NO_MEMBER = -1
_REFERENCE = re.compile(
    r"(?P<array>.+?\.npy)#(?P<index>\d+)|(?P<archive>.+?\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz)))#(?P<member>.+)",
    re.IGNORECASE | re.DOTALL,
)


def container_of(location: str) -> str | None:
    """The container that a reference points into; None if the location is no reference."""
    match = _REFERENCE.fullmatch(location)
    return (match["array"] or match["archive"]) if match else None


class ReferenceReader:
    """Turns locations, references among them, into locators; what cannot be found is left to become an error row.

    Args:
        access: what may be read.
    """

    def __init__(self, access: Access) -> None:
        self._scale = lru_cache(_NUM_KEPT)(partial(_read_scale, access))
        self._members = lru_cache(_NUM_KEPT)(partial(_read_members, access))

    def locator(self, location: str) -> Locator:
        """Find where a location's bytes are."""
        match = _REFERENCE.fullmatch(location)
        if match is None:
            return FileLocator(location)
        if match["array"]:
            return ArrayLocator(match["array"], int(match["index"]), self._scale(match["array"]))
        offset, num_bytes = self._members(match["archive"]).get(match["member"], (NO_MEMBER, 0))
        return MemberLocator(match["archive"], match["member"], offset, num_bytes)


def _read_scale(access: Access, location: str) -> float:
    try:
        with tree_of(location, access).open(location) as file:
            return read_scale(file, read_image_header(file, location))
    except SourceError:
        return 1.0


def _read_members(access: Access, location: str) -> dict[str, tuple[int, int]]:
    members: dict[str, tuple[int, int]] = {}
    try:
        with tree_of(location, access).open(location) as file, decompressed(file) as stream:
            for member in regular_members(stream):
                members[member.name] = (member.offset_data, member.size)
    except (SourceError, *ARCHIVE_ERRORS):
        # Those that were found before the damage can be read.
        return members
    return members
