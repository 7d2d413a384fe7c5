"""Batches between decoding and the engine: pixels are written by many threads straight into the slots of one array."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from core.features import FeatureKey
from core.jobs import ImageError
from workers.features.values import Item


@dataclass(eq=False, slots=True)
class Batch(Generic[Item]):
    """Images on their way to an engine."""

    images: np.ndarray  # (B, H, W, 3) uint8 RGB; the first len(items) slots are or will be filled
    items: list[Item] = field(default_factory=list)
    keys: list[FeatureKey | None] = field(default_factory=list)  # what their features are stored under; None: not
    errors: dict[int, ImageError] = field(default_factory=dict)  # by slot; its pixels are then anything
    fillers: set["Future[None]"] = field(default_factory=set)  # who is writing into it
    num_bytes: int = 0  # of files that wait in memory to be decoded into it

    @property
    def good_slots(self) -> list[int]:
        """The slots of images that could be decoded; known when its fillers are done."""
        return [slot for slot in range(len(self.items)) if slot not in self.errors]

    @property
    def is_full(self) -> bool:
        """Whether it has no slot left."""
        return len(self.items) == len(self.images)


class BatchQueue(Generic[Item]):
    """Batches of one size, filled in order. Their arrays are used again and again.

    Args:
        batch_size: images per batch.
        size_hw: height and width of the images.
    """

    def __init__(self, batch_size: int, size_hw: tuple[int, int]) -> None:
        self._shape = (batch_size, *size_hw, 3)
        self._free: list[np.ndarray] = []
        self._batches: deque[Batch[Item]] = deque()

    def __len__(self) -> int:
        """How many batches there are, full or not."""
        return len(self._batches)

    @property
    def num_bytes(self) -> int:
        """Bytes of files that wait in memory."""
        return sum(batch.num_bytes for batch in self._batches)

    def add(self, item: Item, key: FeatureKey | None) -> tuple[Batch[Item], int]:
        """Give an image the next slot."""
        if not self._batches or self._batches[-1].is_full:
            # Not zeros: clearing took 15 us an image, of 60 without a network; every slot is filled or thrown away.
            self._batches.append(Batch(self._free.pop() if self._free else np.empty(self._shape, np.uint8)))
        batch = self._batches[-1]
        batch.items.append(item)
        batch.keys.append(key)
        return batch, len(batch.items) - 1

    def pop(self) -> Batch[Item]:
        """Take the oldest batch out."""
        return self._batches.popleft()

    def recycle(self, batch: Batch[Item]) -> None:
        """Give a batch's array back; nobody may look at it any more."""
        self._free.append(batch.images)
