"""The datasets store: versions of what a model's name learns from and is measured on, each fixed once it is written.

Knows nothing of how one is composed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, insert, or_, select
from sqlalchemy.orm import Session

from core.items import escape_name, unescape_name
from core.types import Split
from db.bulk import insert_rows
from db.label_tables import DatasetItemTable, DatasetTable
from db.model_tables import ModelTable

# The version that was made of what the first training learned from.
FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """One image of a dataset."""

    sha256: str  # of its content
    class_index: int
    split: Split
    name: str
    locator: str  # core.items.locator_to_text


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset that is about to be written."""

    model: str  # the name that its versions share
    fingerprint: str
    classes: tuple[str, ...]  # their names by class index
    items: Sequence[DatasetItem]
    names_validation: bool  # whether the validation part was named by a user, and is not drawn anew
    created_at: float  # seconds since 1970


def newest_dataset(session: Session, model: str) -> DatasetTable | None:
    """The last version of a name's dataset, if there is one."""
    return session.scalars(
        select(DatasetTable).where(DatasetTable.model == model).order_by(DatasetTable.version.desc()).limit(1)
    ).one_or_none()


def newest_learned(session: Session, model: str) -> DatasetTable | None:
    """The last version that a model has learned from; the first one always has."""
    has_model = exists().where(ModelTable.dataset_id == DatasetTable.id, ModelTable.ready_at.is_not(None))
    return session.scalars(
        select(DatasetTable)
        .where(DatasetTable.model == model, or_(DatasetTable.version == FIRST_VERSION, has_model))
        .order_by(DatasetTable.version.desc())
        .limit(1)
    ).one_or_none()


def add_dataset(session: Session, new: NewDataset) -> DatasetTable:
    """Write the next version of a name's dataset.

    Args:
        session: a writing transaction, whose name's datasets nobody else writes meanwhile.
        new: what it holds.
    """
    newest = session.scalars(select(func.max(DatasetTable.version)).where(DatasetTable.model == new.model)).one()
    dataset_id = session.scalars(
        insert(DatasetTable).returning(DatasetTable.id),
        {
            "model": new.model,
            "version": FIRST_VERSION if newest is None else newest + 1,
            "fingerprint": new.fingerprint,
            "classes": [escape_name(name) for name in new.classes],
            "names_validation": new.names_validation,
            "created_at": new.created_at,
        },
    ).one()
    columns = ("dataset_id", "sha256", "class_index", "split", "name", "locator")
    rows = (
        (dataset_id, item.sha256, item.class_index, item.split.value, escape_name(item.name), item.locator)
        for item in sorted(new.items, key=lambda item: item.sha256)
    )
    insert_rows(session, "dataset_item", columns, rows)
    return session.get_one(DatasetTable, dataset_id)


def items_of(session: Session, dataset_id: int, *, split: Split | None = None) -> list[DatasetItem]:
    """The images of a dataset, by their content; those of one split, if one is named."""
    query = select(
        DatasetItemTable.sha256,
        DatasetItemTable.class_index,
        DatasetItemTable.split,
        DatasetItemTable.name,
        DatasetItemTable.locator,
    ).where(DatasetItemTable.dataset_id == dataset_id)
    if split is not None:
        query = query.where(DatasetItemTable.split == split)
    return [DatasetItem(*row) for row in session.execute(query.order_by(DatasetItemTable.sha256))]


def classes_of(dataset: DatasetTable) -> tuple[str, ...]:
    """What the classes of a dataset are called, by class index."""
    return tuple(unescape_name(name) for name in dataset.classes)


def learned_hashes(session: Session, model: str) -> set[str]:
    """Images that any version of a name's dataset has for learning, by their content."""
    query = (
        select(DatasetItemTable.sha256)
        .join(DatasetTable, DatasetTable.id == DatasetItemTable.dataset_id)
        .where(DatasetTable.model == model, DatasetItemTable.split != Split.TEST)
    )
    return set(session.scalars(query.distinct()))
