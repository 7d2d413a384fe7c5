"""Pairs of arrays as datasets: `images.npy` and the labels of its items in `labels.npy`."""

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from core.errors import DatasetError
from orchestrator.datasets.values import Dataset, LabelledItem, listed
from orchestrator.sources.arrays import ArraySource, check_length
from orchestrator.sources.specs import SourceSpec
from orchestrator.sources.trees import tree_of
from workers.access import Access

if TYPE_CHECKING:
    import numpy as np

    from workers.ml.arrays import ArrayHeader

_ONE_HOT_DIMENSIONS = 2
_EXPECTED = "Expected whole numbers (N,) or (N, 1), or one-hot rows (N, C)."


def read_pair(images: SourceSpec, labels: SourceSpec, classes: Sequence[str] | None, access: Access) -> Dataset:
    """Enumerate the items of an array of images.

    Args:
        images: an array (N, H, W, 3).
        labels: integers (N,) or (N, 1), or one-hot (N, C) of any type.
        classes: the classes' names by label; None for the numbers themselves.
        access: what may be read.

    Raises:
        DatasetError: the labels are not such, not as many, or outside the class list.
        SourceError: a file is not there, or the images' array holds no images.
    """
    source = ArraySource(tree_of(images.location, access), images.location, images.text)
    source.check()
    with tree_of(labels.location, access).open(labels.location) as file:
        values = _read_labels(file, labels.text, num_images=_read_num_images(images, access))
    names, indices = _to_indices(values, labels.text, classes)
    items = tuple(LabelledItem(item, index, None) for item, index in zip(source.items(), indices.tolist(), strict=True))
    return Dataset(names, items, num_skipped=0)


def _read_num_images(images: SourceSpec, access: Access) -> int:
    from workers.ml.arrays import read_header  # noqa: PLC0415 - NumPy takes a tenth of a second to import

    with tree_of(images.location, access).open(images.location) as file:
        num_images = read_header(file).shape[0]
    if not num_images:
        raise DatasetError(f"{images.text} holds no image: its first axis has the length 0.")
    return num_images


def _read_labels(file: IO[bytes], text: str, *, num_images: int) -> "np.ndarray":
    """Read labels of a right shape and type, after their header has been found to fit."""
    import numpy as np  # noqa: PLC0415 - as above

    from workers.ml.arrays import read_header  # noqa: PLC0415 - as above

    try:
        header = read_header(file)
    except ValueError as error:
        raise DatasetError(f"{text} is not an .npy array: {error}. Save it with numpy.save.") from error
    _check_header(header, text, num_images=num_images)
    check_length(file, header, text)
    file.seek(0)
    try:
        values: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise DatasetError(f"{text} is cut short: {error}. Save it again.") from error
    return values


def _check_header(header: "ArrayHeader", text: str, *, num_images: int) -> None:
    if header.dtype.kind not in "iubf":
        raise DatasetError(f"{text} holds {header.dtype} values. {_EXPECTED}")
    if len(header.shape) not in (1, _ONE_HOT_DIMENSIONS) or 0 in header.shape[1:]:
        raise DatasetError(f"{text} has the shape {header.shape}. {_EXPECTED}")
    if header.shape[0] != num_images:
        raise DatasetError(
            f"{text} has {header.shape[0]} labels, but there are {num_images} images. Expected one label per image, in "
            "the same order."
        )


def _to_indices(values: "np.ndarray", text: str, classes: Sequence[str] | None) -> "tuple[tuple[str, ...], np.ndarray]":
    """Find the classes, and each image's class index (N,)."""
    import numpy as np  # noqa: PLC0415 - as above

    if values.ndim == _ONE_HOT_DIMENSIONS and values.shape[1] > 1:
        num_classes = values.shape[1]
        if classes is not None and len(classes) != num_classes:
            raise DatasetError(
                f"{text} has {num_classes} columns, one per class, but --classes has {len(classes)} names: "
                f"{listed(classes)}."
            )
        names = tuple(classes) if classes is not None else tuple(map(str, range(num_classes)))
        return names, _from_one_hot(values, text)
    numbers = _to_integers(values.reshape(-1), text)
    if classes is not None:
        outside = np.flatnonzero((numbers < 0) | (numbers >= len(classes)))
        if outside.size:
            raise DatasetError(
                f"{text} has labels outside the class list: item {outside[0]} is {numbers[outside[0]]}. --classes has "
                f"{len(classes)} names, {listed(classes)}; labels are 0 to {len(classes) - 1}, counted from 0."
            )
        return tuple(classes), numbers
    if (numbers < 0).any():
        first = np.flatnonzero(numbers < 0)[0]
        raise DatasetError(f"{text} has labels below 0: item {first} is {numbers[first]}. {_EXPECTED}")
    found, indices = np.unique(numbers, return_inverse=True)
    return tuple(map(str, found.tolist())), indices


def _from_one_hot(values: "np.ndarray", text: str) -> "np.ndarray":
    import numpy as np  # noqa: PLC0415 - as above

    wrong = np.flatnonzero(((values != 0) & (values != 1)).any(axis=1) | ((values == 1).sum(axis=1) != 1))
    if wrong.size:
        row = np.array2string(values[wrong[0]], threshold=8)
        raise DatasetError(
            f"{text} has the shape {values.shape}, but row {wrong[0]} is not one-hot: {row}. "
            "Expected a single 1 and else 0; of probabilities, save `labels.argmax(axis=1)`."
        )
    indices: np.ndarray = values.argmax(axis=1)
    return indices


def _to_integers(values: "np.ndarray", text: str) -> "np.ndarray":
    import numpy as np  # noqa: PLC0415 - as above

    if values.dtype.kind == "f":
        # A comparison with NaN is false, and infinity is a whole number to NumPy.
        wrong = np.flatnonzero(~((values == np.floor(values)) & (np.abs(values) < 2**31)))
        if wrong.size:
            raise DatasetError(f"{text} holds {values[wrong[0]]} as the label of item {wrong[0]}. {_EXPECTED}")
    numbers: np.ndarray = values.astype(np.int64)
    return numbers
