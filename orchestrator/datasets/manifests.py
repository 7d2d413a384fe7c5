"""Manifests as datasets: tables with a column of images, one of labels, and perhaps one of splits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import DatasetError
from core.items import Item
from core.types import Split
from orchestrator.datasets.values import SPLIT_NAMES, Dataset, LabelledItem, as_integer, in_order, listed
from orchestrator.sources.manifests import EntryReader
from orchestrator.sources.specs import SourceSpec
from orchestrator.sources.tables import DEFAULT_COLUMNS, RowReader, entry_text
from orchestrator.sources.trees import tree_of
from workers.access import Access

# Column names that are taken for the labels' when nobody says which, most telling first.
LABEL_COLUMNS = ("label", "class", "category", "target")
SPLIT_COLUMN = "split"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a manifest a user named; None: tell by their names."""

    image: str | None = None
    label: str | None = None

    def choose(self, columns: Sequence[str], location: str) -> tuple[str, ...]:
        """Find the columns of images and labels, and of splits where there is one.

        Raises:
            DatasetError: there is none, or it cannot be told which.
        """
        image = _choose(columns, self.image, DEFAULT_COLUMNS, location=location, what="image")
        label = _choose(columns, self.label, LABEL_COLUMNS, location=location, what="label")
        if image == label:
            raise DatasetError(
                f"The column {image!r} of {location} cannot hold both the images and their labels; name two with "
                "--image-column and --label-column."
            )
        return (image, label, SPLIT_COLUMN) if SPLIT_COLUMN in {*columns} - {image, label} else (image, label)


class ManifestDataset:
    """Reads one manifest. Whether the images exist is seen when they are read.

    Args:
        access: what may be read.
        spec: the manifest, and whether its entries may be web addresses.
        reader: knows the manifest's format.
    """

    def __init__(self, access: Access, spec: SourceSpec, reader: RowReader) -> None:
        self._access = access
        self._tree = tree_of(spec.location, access)
        self._spec = spec
        self._reader = reader
        self._num_skipped = 0
        self._first_seen: dict[str, str] = {}  # where each label stands for the first time, in order
        self._unlabelled: list[str] = []

    def read(self, classes: Sequence[str] | None, columns: Columns) -> Dataset:
        """Enumerate its images.

        Args:
            classes: names of the classes, which labels may call by name or by position; None for the labels, sorted.
            columns: which ones to read.

        Raises:
            DatasetError: a label is missing or outside the class list, or a column or split cannot be told.
            SourceError: the manifest cannot be read.
        """
        self._num_skipped, self._first_seen, self._unlabelled = 0, {}, []
        rows = self._rows(columns)
        if self._unlabelled:
            raise DatasetError(
                f"{len(self._unlabelled)} of the images in {self._spec.text} have no label; the first: "
                f"{self._unlabelled[0]}. Label them, or remove these rows."
            )
        if not rows:
            raise DatasetError(f"{self._spec.text} names no image. Expected a row for each, with its label.")
        names = in_order(self._first_seen) if classes is None else tuple(classes)
        index = self._indices(names)
        return Dataset(
            names, tuple(LabelledItem(item, index[label], split) for item, label, split in rows), self._num_skipped
        )

    def _rows(self, columns: Columns) -> list[tuple[Item, str, Split | None]]:
        images = EntryReader(self._access, self._spec)
        rows = []
        with self._tree.open(self._spec.location) as file:
            found = self._reader(file, self._spec.location, lambda names: columns.choose(names, self._spec.text))
            for position, (where, (image, label, *rest)) in enumerate(found):
                entry = entry_text(image, where)
                if entry is None:
                    self._num_skipped += 1
                    continue
                text = _read_label(label, where)
                if text is None:
                    self._unlabelled.append(f"{where}, {entry}")
                    continue
                self._first_seen.setdefault(text, where)
                rows.append((images.item(entry, position), text, _read_split(rest, where)))
        return rows

    def _indices(self, names: Sequence[str]) -> Mapping[str, int]:
        """Class indices by label: all labels are names of classes, or all are their positions."""
        by_name = {name: position for position, name in enumerate(names)}
        outside = [label for label in self._first_seen if label not in by_name]
        if not outside:
            return by_name
        numbers = {label: as_integer(label) for label in self._first_seen}
        if None not in numbers.values():
            by_number = {
                label: number for label, number in numbers.items() if number is not None and 0 <= number < len(names)
            }
            outside = [label for label in self._first_seen if label not in by_number]
            if not outside:
                return by_number
        raise DatasetError(
            f"{self._first_seen[outside[0]]} has a label outside the class list: {listed(outside)}. --classes has "
            f"{listed(names)}; labels are these names, or 0 to {len(names) - 1} for their positions."
        )


def _choose(columns: Sequence[str], wanted: str | None, usual: Sequence[str], *, location: str, what: str) -> str:
    if wanted is not None and wanted not in columns:
        raise DatasetError(f"{location} has no column {wanted!r}; it has {listed(columns) or 'no columns'}.")
    found = wanted or next((name for name in usual if name in columns), None)
    if found is None:
        raise DatasetError(
            f"Which column of {location} holds the {what}s? It has {listed(columns) or 'no columns'}; "
            f"say --{what}-column NAME, or call it {usual[0]!r}."
        )
    return found


def _read_label(cell: Any, where: str) -> str | None:  # noqa: ANN401  whatever JSON or Parquet holds
    match cell:
        case None:
            return None
        case str():
            return cell.strip() or None
        case bool():
            return str(cell).lower()
        case int():
            return str(cell)
        case float() if math.isnan(cell):
            # What pandas makes of an empty cell, and of the integers around it.
            return None
        case float() if cell.is_integer():
            return str(int(cell))
    raise DatasetError(
        f"{where} has the label {cell!r} of type {type(cell).__name__}; expected one name, or one whole number."
    )


def _read_split(cells: Sequence[Any], where: str) -> Split | None:
    cell = cells[0] if cells else None
    if cell is None or cell == "":
        return None
    split = SPLIT_NAMES.get(cell.strip().casefold()) if isinstance(cell, str) else None
    if split is None:
        raise DatasetError(f"{where} is for {cell!r}; expected train, val or test in the column {SPLIT_COLUMN!r}.")
    return split
