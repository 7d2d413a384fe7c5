"""Folders as datasets: one folder per class, or `train/`, `val/` and `test/` with class folders in them.

A folder called `train` makes the difference only if there are folders in it: trains are a class of vehicles too.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.errors import DatasetError
from core.items import Item
from core.types import Split
from orchestrator.datasets.values import SPLIT_NAMES, Dataset, LabelledItem, in_order, listed
from orchestrator.sources.folders import FolderSource
from orchestrator.sources.sorting import sort_entries
from orchestrator.sources.trees import EntryKind, Tree
from workers.ml.formats import has_image_name

_LAYOUT = "Expected one folder per class with its images in it, or train/, val/ and test/ with class folders in them."


class _Folder(NamedTuple):
    """A folder of a dataset."""

    location: str
    name: str  # as the user would write it


class _Listing(NamedTuple):
    """What is directly in a folder; hidden names are no part of it."""

    folders: tuple[str, ...]  # folders behind links too: someone has put them there to be entered
    files: tuple[str, ...]


class FolderDataset:
    """Reads one folder.

    Args:
        tree: where it is.
        location: the folder.
        name: what its images' names begin with.
    """

    def __init__(self, tree: Tree, location: str, name: str) -> None:
        self._tree = tree
        self._root = _Folder(location, name)
        self._num_skipped = 0

    def read(self, classes: Sequence[str] | None) -> Dataset:
        """Enumerate its images.

        Args:
            classes: the classes that there are, in their order; None for what the folders are called, sorted.

        Raises:
            DatasetError: the folders are not laid out as a dataset, hold no images, or are outside the class list.
            SourceError: a folder cannot be listed.
        """
        self._num_skipped = 0
        found = [
            (item, class_name, split)
            for split, folder in self._parts()
            for class_name, item in self._class_folders(folder, split, classes)
        ]
        names = tuple(classes) if classes is not None else in_order(class_name for _, class_name, _ in found)
        index = {name: position for position, name in enumerate(names)}
        items = tuple(LabelledItem(item, index[class_name], split) for item, class_name, split in found)
        return Dataset(names, items, self._num_skipped)

    def _parts(self) -> list[tuple[Split | None, _Folder]]:
        """Where class folders are, and what they are for."""
        names = self._list(self._root).folders
        by_split: dict[Split, list[str]] = {}
        for name in names:
            if name.casefold() in SPLIT_NAMES:
                by_split.setdefault(SPLIT_NAMES[name.casefold()], []).append(name)
        has_others = sum(map(len, by_split.values())) < len(names)
        if not by_split or (has_others and not self._is_train_part(by_split)):
            return [(None, self._root)]
        for split, same in by_split.items():
            if len(same) > 1:
                raise DatasetError(
                    f"{self._root.name} has {listed(same)}, which all mean {split}; keep one of these folders."
                )
        return [(split, self._below(self._root, by_split[split][0])) for split in Split if split in by_split]

    def _is_train_part(self, by_split: dict[Split, list[str]]) -> bool:
        return any(self._list(self._below(self._root, name)).folders for name in by_split.get(Split.TRAIN, ()))

    def _class_folders(
        self, folder: _Folder, split: Split | None, classes: Sequence[str] | None
    ) -> Iterator[tuple[str, Item]]:
        listing = self._list(folder)
        if not listing.folders:
            raise DatasetError(f"{folder.name} holds no class folder{_describe_files(listing)}. {_LAYOUT}")
        self._num_skipped += len(listing.files)
        if classes is not None:
            _require_known(folder, listing.folders, classes)
        empty = []
        for name in listing.folders:
            below = self._below(folder, name)
            source = FolderSource(self._tree, below.location, below.name)
            num_images = 0
            for item in source.items():
                num_images += 1
                yield name, item
            self._num_skipped += source.num_skipped
            if not num_images:
                empty.append(name)
        # Where a split is drawn by a program, a rare class may well have no image in the smaller parts.
        if empty and split in (None, Split.TRAIN):
            raise DatasetError(
                f"There is no image in {listed(empty)} of {folder.name}. Every class folder needs images such as .jpg "
                "or .png; add some, or remove the folder."
            )
        if len(empty) == len(listing.folders):
            raise DatasetError(f"There is no image in {folder.name}. Add some, or remove the folder.")

    def _list(self, folder: _Folder) -> _Listing:
        folders: list[str] = []
        files: list[str] = []
        for entry in sort_entries(self._tree.entries(folder.location)):
            if not entry.name.startswith(b"."):
                is_folder = entry.kind in (EntryKind.FOLDER, EntryKind.LINKED_FOLDER)
                (folders if is_folder else files).append(os.fsdecode(entry.name))
        return _Listing(tuple(folders), tuple(files))

    def _below(self, folder: _Folder, name: str) -> _Folder:
        return _Folder(self._tree.join(folder.location, name), self._tree.join(folder.name, name))


def _require_known(folder: _Folder, names: Sequence[str], classes: Sequence[str]) -> None:
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise DatasetError(
            f"{folder.name} has folders outside the class list: {listed(unknown)}. --classes has {listed(classes)}. "
            "Name them there too, or move them elsewhere."
        )


def _describe_files(listing: _Listing) -> str:
    num_images = sum(map(has_image_name, listing.files))
    if num_images:
        return f", but {num_images} images directly in it, of which nothing says what they show"
    return f", only {len(listing.files)} files" if listing.files else "; it is empty"
