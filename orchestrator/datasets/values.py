"""What a dataset is, whatever form it came in; and how its classes are called, counted and put in order."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.items import Item
from core.types import Split

# What a split may be called, by a folder or in a manifest's cell, in any case.
SPLIT_NAMES = {
    "train": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
}
# How many names an error lists before it only counts them.
_NUM_LISTED = 10
_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """One image, and what people say that it shows."""

    item: Item
    class_index: int  # position in `Dataset.classes`
    split: Split | None  # as the dataset says; None: it does not, so the image is for training

    @property
    def is_for_training(self) -> bool:
        """Whether weights may be fitted to it."""
        return self.split in (None, Split.TRAIN)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled images, all of them, in an order that is the same whenever the dataset is."""

    classes: tuple[str, ...]  # may hold lone surrogates for bytes of folder names that are not UTF-8
    items: tuple[LabelledItem, ...]
    num_skipped: (
        int  # what was passed over: files that are no images or lie beside class folders, rows without an image
    )

    def num_by_class(self, *splits: Split | None) -> tuple[int, ...]:
        """Count images by class index.

        Args:
            *splits: which to count, None for those of which the dataset says nothing; all of them if none is named.
        """
        counts = Counter(labelled.class_index for labelled in self.items if not splits or labelled.split in splits)
        return tuple(counts[index] for index in range(len(self.classes)))

    def has_split(self, split: Split) -> bool:
        """Whether any image is for that."""
        return any(labelled.split is split for labelled in self.items)

    def only(self, *splits: Split | None) -> "Dataset":
        """The same dataset without the images that are for something else."""
        return replace(self, items=tuple(labelled for labelled in self.items if labelled.split in splits))


def as_integer(label: str) -> int | None:
    """The number that a label is; None if it is a name."""
    return int(label) if _INTEGER.fullmatch(label) else None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort class names, by their value if all of them are numbers: 2 before 10."""
    found = sorted(set(names))
    numbers = {name: as_integer(name) for name in found}
    if any(number is None for number in numbers.values()):
        return tuple(found)
    return tuple(sorted(found, key=lambda name: numbers[name] or 0))


def listed(names: Sequence[str]) -> str:
    """Quote names in one line, not too many of them."""
    shown = ", ".join(map(repr, names[:_NUM_LISTED]))
    return f"{shown}, … ({len(names)} in all)" if len(names) > _NUM_LISTED else shown
