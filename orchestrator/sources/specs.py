"""What a user named as a source, as plain values that the ledger keeps, and what every source can do."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.items import Item, escape_name, unescape_name

# Closing it lets go of files that were half read.
Items = Generator[Item, None, None]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source, with everything that is needed to enumerate it again on another day."""

    text: str  # as the user gave it; images are named after it
    location: str  # absolute local path, or URL
    column: str | None = None  # the column of a manifest that holds the images
    allow_http: bool = False  # whether http(s) addresses may be opened

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing; names that are not UTF-8 survive, escaped."""
        return {
            "text": escape_name(self.text),
            "location": escape_name(self.location),
            "column": None if self.column is None else escape_name(self.column),
            "allow_http": self.allow_http,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SourceSpec":
        """Read what `to_json` wrote."""
        return cls(
            text=unescape_name(values["text"]),
            location=unescape_name(values["location"]),
            column=None if values["column"] is None else unescape_name(values["column"]),
            allow_http=values["allow_http"],
        )


class Source(Protocol):
    """Images in an order that is the same whenever the source is the same."""

    num_skipped: int  # files passed over so far because they are no images

    def items(self, after: str | None = None) -> Items:
        """Enumerate the images without holding them all.

        Args:
            after: the cursor of the last item that is already known; None for the start.

        Raises:
            SourceError: something cannot be enumerated, and images would be lost without a word.
        """
        ...

    def check(self) -> None:
        """Look for what would stop `items` half-way, as far as that is cheap.

        Raises:
            SourceError: something would.
        """
        ...
