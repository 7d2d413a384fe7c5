"""From what a user names as DATASET to labelled images: told by what stands there, then by its name."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import DatasetError, SourceError
from core.types import Split
from orchestrator.datasets.arrays import read_pair
from orchestrator.datasets.folders import FolderDataset
from orchestrator.datasets.manifests import Columns, ManifestDataset
from orchestrator.datasets.values import Dataset, listed
from orchestrator.sources.manifests import manifest_reader, row_reader
from orchestrator.sources.resolving import locate
from orchestrator.sources.specs import SourceSpec
from orchestrator.sources.trees import EntryKind, tree_of
from workers.access import Access
from workers.urls import is_web

_ARRAY_ENDING = re.compile(r"\.npy,", re.IGNORECASE)
_FORMS = (
    "Expected a folder of class folders (or of train/, val/ and test/ with class folders in them), a manifest (.csv, "
    ".jsonl, .parquet) with image and label columns, or a pair images.npy,labels.npy."
)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How to read whatever form a dataset has."""

    cwd: Path
    access: Access
    classes: tuple[str, ...] | None = None
    columns: Columns = field(default_factory=Columns)
    allow_http: bool = False

    def read(self, text: str) -> Dataset:
        """Find out what a dataset is, and enumerate it."""
        whole = self._spec(text)
        pair = None if _exists(whole, self.access) else self._pair(text)
        if pair is not None:
            return read_pair(*pair, self.classes, self.access)
        _require_allowed(whole)
        tree = tree_of(whole.location, self.access)
        match tree.kind(whole.location):
            case EntryKind.FOLDER:
                return FolderDataset(tree, whole.location, text.rstrip("/") or "/").read(self.classes)
            case EntryKind.FILE:
                return self._read_file(whole)
            case None:
                raise SourceError(f"{text} does not exist. Check the path; what was looked for is {whole.location}.")
            case _:
                raise SourceError(f"{text} is neither a file nor a folder.")

    def _read_file(self, spec: SourceSpec) -> Dataset:
        name = urlsplit(spec.location).path if is_web(spec.location) else spec.location
        reader = row_reader(name)
        if reader is not None:
            return ManifestDataset(self.access, spec, reader).read(self.classes, self.columns)
        if manifest_reader(name) is not None:
            raise DatasetError(f"{spec.text} is a plain list, which has no labels. {_FORMS}")
        if name.lower().endswith(".npy"):
            raise DatasetError(f"{spec.text} is one array, images without labels or the reverse. {_FORMS}")
        raise DatasetError(f"{spec.text} is no dataset. {_FORMS}")

    def _pair(self, text: str) -> tuple[SourceSpec, SourceSpec] | None:
        """The two arrays of a pair; of several commas, the first one with an array on either side."""
        pairs = [
            (self._spec(text[: match.end() - 1]), self._spec(text[match.end() :].strip()))
            for match in _ARRAY_ENDING.finditer(text)
            if text[match.end() :].strip()
        ]
        for part in (part for pair in pairs for part in pair):
            _require_allowed(part)
        return next(
            (pair for pair in pairs if all(_exists(part, self.access) for part in pair)), pairs[0] if pairs else None
        )

    def _spec(self, text: str) -> SourceSpec:
        return SourceSpec(text, locate(text, self.cwd, self.access), self.columns.image, self.allow_http)


def open_dataset(  # noqa: PLR0913 - as many as the command line has
    text: str,
    access: Access,
    *,
    val: str | None = None,
    test: str | None = None,
    classes: Sequence[str] | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    allow_http: bool = False,
    cwd: Path,
) -> Dataset:
    """Read a dataset, without its pixels.

    Args:
        text: a path or URL of a folder or a manifest, or those of two arrays with a comma between them.
        access: what may be read.
        val: a dataset of the same forms, for validation; of one that is divided into parts, its validation part.
        test: the same, for the final measurement.
        classes: names for labels that are numbers, and the order of the classes; there may be no others.
        image_column: the manifests' column that names images.
        label_column: and that of the labels.
        allow_http: whether http(s) addresses may be opened.
        cwd: what relative paths are relative to.

    Raises:
        DatasetError: labels are missing, wrong, or outside the class list.
        SourceError: something is not there, or not what its name says.
    """
    names = None if classes is None else tuple(classes)
    _check_names(names)
    reading = _Reading(cwd, access, names, Columns(image_column, label_column), allow_http)
    dataset = reading.read(text)
    for split, other in ((Split.VAL, val), (Split.TEST, test)):
        if other is None:
            continue
        if dataset.has_split(split):
            raise DatasetError(
                f"{text} has a {split} part of its own, and --{split} names {other} too. Leave --{split} out, or name "
                f"the training part alone, such as {text.rstrip('/')}/train."
            )
        dataset = _joined(dataset, _take_part(reading.read(other), split, other))
    if names is None:
        _require_trained_on(dataset)
    return dataset


def _check_names(classes: tuple[str, ...] | None) -> None:
    if classes is None:
        return
    if not classes:
        raise DatasetError("--classes is empty; expected names such as Hat,Cube,Card.")
    twice = [name for name, number in Counter(classes).items() if number > 1]
    if twice:
        raise DatasetError(f"--classes names {listed(twice)} more than once; expected each class once.")


def _take_part(dataset: Dataset, split: Split, text: str) -> Dataset:
    """The images of a dataset that are for something, all of them now, whatever the dataset calls it."""
    parts = [part for part in Split if dataset.has_split(part)]
    part = dataset.only(split) if parts else dataset
    if not part.items:
        raise DatasetError(
            f"{text} is divided into {', '.join(parts)}, none of which is the {split} part that --{split} takes. "
            "Name the part itself."
        )
    return replace(part, items=tuple(replace(labelled, split=split) for labelled in part.items))


def _joined(first: Dataset, second: Dataset) -> Dataset:
    """Both datasets as one; classes that only the second has come last."""
    names = (*first.classes, *(name for name in second.classes if name not in first.classes))
    index = {name: position for position, name in enumerate(names)}
    items = tuple(
        replace(labelled, class_index=index[second.classes[labelled.class_index]]) for labelled in second.items
    )
    return Dataset(names, first.items + items, first.num_skipped + second.num_skipped)


def _require_trained_on(dataset: Dataset) -> None:
    """Check that nothing is measured on classes that are never learned; a dataset for measuring alone is fine."""
    counts = zip(dataset.classes, dataset.num_by_class(None, Split.TRAIN), dataset.num_by_class(), strict=True)
    unknown = {name for name, num_train, num_images in counts if num_images and not num_train}
    if not unknown or not any(labelled.is_for_training for labelled in dataset.items):
        return
    first = next(labelled for labelled in dataset.items if dataset.classes[labelled.class_index] in unknown)
    names = [name for name in dataset.classes if name not in unknown]
    raise DatasetError(
        f"There are {first.split} images of {listed(sorted(unknown))}, such as {first.item.name}, but none to train "
        f"on; the training images show {listed(names)}. Call classes alike in all parts, or add training images."
    )


def _exists(spec: SourceSpec, access: Access) -> bool:
    """Whether something stands there, as far as that may be asked."""
    try:
        # A web server would be asked for an address that its user never meant.
        return not is_web(spec.location) and tree_of(spec.location, access).kind(spec.location) is not None
    except SourceError:
        return False


def _require_allowed(spec: SourceSpec) -> None:
    if is_web(spec.location) and not spec.allow_http:
        raise SourceError(f"{spec.text} is a web address; say --allow-http if workers may fetch it.")
