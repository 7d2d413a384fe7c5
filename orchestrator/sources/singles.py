"""One image as a source: a file, or an item of an array or an archive."""

from core.items import Item, Locator
from orchestrator.sources.specs import Items


class SingleSource:
    """One image.

    Args:
        name: as the user gave it.
        locator: where its bytes are.
    """

    def __init__(self, name: str, locator: Locator) -> None:
        self.num_skipped = 0
        self._item = Item(name=name, locator=locator, cursor="0")

    def check(self) -> None:
        """There is nothing that could stop half-way."""

    def items(self, after: str | None = None) -> Items:
        """The image, unless it is already known."""
        if after is None:
            yield self._item
