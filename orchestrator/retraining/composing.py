"""The next version of a dataset: what was learned from, what people have said since, and what a folder has by now.

Of an image a person's newest label counts, then the folder's, then what the dataset before had. The test part is frozen
when the first version is trained, and grows only by labels that ask for it; else two versions would be compared on
different images. Everything is known by its content; nothing is read here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from core.training import TrainOptions
from core.types import Split
from db.annotations import hashes_for_testing, newest_annotations
from db.datasets import DatasetItem, NewDataset, add_dataset, classes_of, items_of, newest_dataset
from db.label_tables import DatasetTable
from db.model_tables import ModelTable
from db.promotions import champion_of
from db.results import class_names
from orchestrator.retraining.learned import (
    LabelledContent,
    first_contents,
    first_trained,
    learned_by_hand,
    options_of,
)
from workers.ml.splitting import Example, assign_splits, dataset_fingerprint

# One to learn from, one to validate with.
MIN_IMAGES_OF_A_NEW_CLASS = 2


def compose(session: Session, name: str, found: Iterable[LabelledContent], *, at_s: float) -> NewDataset:
    """Put the next version of a name's dataset together; it is not written.

    Args:
        session: a writing transaction; the first version is written if there is none.
        name: of the model.
        found: what a folder or manifest holds by now; images to measure on are never taken from there.
        at_s: when.

    Raises:
        UsageError: no version of that name was trained here.
        TrainingError: a class has too few images.
    """
    champion = _champion(session, name)
    before = latest_dataset(session, name)
    images = {image.sha256: image for image in _contents(session, before)}
    _add(images, learned_by_hand(session, champion))
    # Nobody is tested on what was learned, whatever a label asks for.
    to_measure_on = hashes_for_testing(session, name) - set(images)
    _add(images, found)
    for sha256, said in newest_annotations(session, name).items():
        _add(images, [LabelledContent(sha256, said.label, None, said.name, said.locator)])
        if sha256 in to_measure_on:
            images[sha256] = replace(images[sha256], split=Split.TEST)
    images = _without_rare_classes(images, known=classes_of(before))
    return _divide(
        name,
        list(images.values()),
        classes=_classes(classes_of(before), images.values()),
        options=options_of(session, champion),
        names_validation=before.names_validation,
        at_s=at_s,
    )


def ensure_dataset(session: Session, new: NewDataset) -> DatasetTable:
    """The newest version if it holds the same, else a new one.

    Args:
        session: a writing transaction.
        new: what it is to hold.
    """
    newest = newest_dataset(session, new.model)
    if newest is not None and newest.fingerprint == new.fingerprint:
        return newest
    return add_dataset(session, new)


def _champion(session: Session, name: str) -> ModelTable:
    first = first_trained(session, name)
    champion = champion_of(session, name)
    return first if champion is None else champion


def latest_dataset(session: Session, name: str) -> DatasetTable:
    """The newest version of a name's dataset; the first is made of what the first training was measured on.

    Args:
        session: a writing transaction.
        name: of the model.

    Raises:
        UsageError: no version of that name was trained here.
    """
    if (newest := newest_dataset(session, name)) is not None:
        return newest
    # Of several who find none in the same moment, one makes it.
    first = first_trained(session, name)
    session.get_one(ModelTable, first.id, with_for_update=True)
    return newest_dataset(session, name) or _make_first(session, name)


def _make_first(session: Session, name: str) -> DatasetTable:
    """Freeze the test part of the first training, or its validation part if it had none."""
    first = first_trained(session, name)
    images, names_validation = first_contents(session, first)
    new = _divide(
        name,
        images,
        classes=class_names(session, first.id),
        options=options_of(session, first),
        names_validation=names_validation,
        at_s=first.created_at,
    )
    return add_dataset(session, new)


def _contents(session: Session, dataset: DatasetTable) -> Iterable[LabelledContent]:
    classes = classes_of(dataset)
    kept = {Split.TEST, Split.VAL} if dataset.names_validation else {Split.TEST}
    for item in items_of(session, dataset.id):
        # A validation part that was drawn is drawn anew as the dataset grows.
        split = item.split if item.split in kept else None
        yield LabelledContent(item.sha256, classes[item.class_index], split, item.name, item.locator)


def _add(images: dict[str, LabelledContent], found: Iterable[LabelledContent]) -> None:
    """Take more images in, or their newer labels; what is for measuring stays that."""
    for image in found:
        known = images.get(image.sha256)
        images[image.sha256] = replace(image, split=None if known is None else known.split)


def _without_rare_classes(images: dict[str, LabelledContent], *, known: Sequence[str]) -> dict[str, LabelledContent]:
    """Leave new classes out until there are images of them to learn from: one wrong label must not stop everything."""
    counts = Counter(image.label for image in images.values() if image.split is not Split.TEST)
    return {
        sha256: image
        for sha256, image in images.items()
        if image.label in known or counts[image.label] >= MIN_IMAGES_OF_A_NEW_CLASS
    }


def _classes(known: Sequence[str], images: Iterable[LabelledContent]) -> tuple[str, ...]:
    """All classes: those that were there keep their places, new ones come behind."""
    return (*known, *sorted({image.label for image in images} - set(known)))


def _divide(
    name: str,
    images: Sequence[LabelledContent],
    *,
    classes: tuple[str, ...],
    options: TrainOptions,
    names_validation: bool,
    at_s: float,
) -> NewDataset:
    index = {label: position for position, label in enumerate(classes)}
    ordered = sorted(images, key=lambda image: image.sha256)
    examples = [
        Example(position, image.sha256, index[image.label], image.split) for position, image in enumerate(ordered)
    ]
    splits = assign_splits(examples, classes=classes, val_share=options.val_share, seed=options.seed)
    used = [replace(example, split=splits.used[example.key]) for example in examples if example.key in splits.used]
    items = [
        DatasetItem(example.sha256, example.class_index, splits.used[example.key], image.name, image.locator)
        for example, image in zip(examples, ordered, strict=True)
        if example.key in splits.used
    ]
    return NewDataset(
        model=name,
        fingerprint=dataset_fingerprint(used, classes=classes),
        classes=classes,
        items=items,
        names_validation=names_validation,
        created_at=at_s,
    )
