"""What can be known of a dataset before anything is learned from it."""

from collections.abc import Callable

from core.errors import DatasetError, InputError
from core.items import Locator
from core.types import Split
from orchestrator.datasets.values import Dataset, listed

_MIN_NUM_CLASSES = 2


def check_splittable(dataset: Dataset, val_share: float) -> None:
    """Check that there are classes to tell apart, and images of each for every part that training needs.

    Copies of one image count once in the end; only its reader can tell.

    Args:
        dataset: what is to be learned from.
        val_share: how much of each class is held out for validation where the dataset has no such part.

    Raises:
        DatasetError: there are not.
    """
    if len(dataset.classes) < _MIN_NUM_CLASSES:
        raise DatasetError(
            f"There is one class only, {listed(dataset.classes)}; a classifier needs two or more to tell apart. "
            "Expected one folder, or one label, per class."
        )
    if not any(labelled.is_for_training for labelled in dataset.items):
        splits = ", ".join(split for split in Split if dataset.has_split(split))
        raise DatasetError(f"There is no image to train on; all are for {splits}. Add a train part.")
    has_val = dataset.has_split(Split.VAL)
    num_needed = 1 if has_val else 2
    counts = dataset.num_by_class(None, Split.TRAIN)
    small = [(name, count) for name, count in zip(dataset.classes, counts, strict=True) if count < num_needed]
    if not small:
        return
    why = "to train on" if has_val else f"to train on while {val_share:.0%} of them are held out for validation"
    has = ", ".join(f"{name!r} has {count}" for name, count in small)
    raise DatasetError(
        f"Every class needs at least {num_needed} image{'s'[: num_needed - 1]} {why}, but {has}. Add images, or leave "
        f"{'this class' if len(small) == 1 else 'these classes'} out."
    )


def check_readable(dataset: Dataset, prepare: Callable[[Locator], object]) -> None:
    """Check that each class has an image to train on that can be read.

    Args:
        dataset: what is to be learned from.
        prepare: reads and decodes an image; raises `InputError` where it cannot.

    Raises:
        DatasetError: a class has none.
    """
    pending = {labelled.class_index for labelled in dataset.items if labelled.is_for_training}
    first_problem: dict[int, str] = {}
    for labelled in dataset.items:
        if labelled.class_index not in pending or not labelled.is_for_training:
            continue
        try:
            prepare(labelled.item.locator)
        except InputError as error:
            first_problem.setdefault(labelled.class_index, f"{labelled.item.name}: {error.detail}")
        else:
            pending.discard(labelled.class_index)
    if pending:
        index = min(pending)
        num_images = dataset.num_by_class(None, Split.TRAIN)[index]
        raise DatasetError(
            f"Class {dataset.classes[index]!r}: none of its {num_images} images can be read; the first: "
            f"{first_problem[index]}"
        )
