"""The models store: named, versioned classifiers and what their classes are called."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.labels import ClassLabel
from db.clock import now_s
from db.tables import ClassLabelTable, ModelTable


def find_model(session: Session, name: str, version: int) -> ModelTable | None:
    """The model of that name and version, if there is one."""
    return session.scalars(
        select(ModelTable).where(ModelTable.name == name, ModelTable.version == version)
    ).one_or_none()


def ensure_model(session: Session, *, name: str, version: int, backbone: str) -> int:
    """The id of a model that follows from the program alone (an ImageNet classifier), made at its first use."""
    found = find_model(session, name, version)
    if found is not None:
        return found.id
    row = {"name": name, "version": version, "backbone": backbone, "created_at": now_s()}
    try:
        with session.begin_nested():
            return session.scalars(insert(ModelTable).values(**row).returning(ModelTable.id)).one()
    except IntegrityError:
        # Another process made it between our look and our insert.
        return session.scalars(
            select(ModelTable.id).where(ModelTable.name == name, ModelTable.version == version)
        ).one()


def ensure_labels(session: Session, model_id: int, labels: Sequence[ClassLabel]) -> None:
    """Store what a model's classes are called, unless it is stored already."""
    known = select(ClassLabelTable.class_index).where(ClassLabelTable.model_id == model_id).limit(1)
    if session.scalars(known).first() is not None:
        return
    rows = [
        {"model_id": model_id, "class_index": index, "label": label.label, "label_id": label.label_id}
        for index, label in enumerate(labels)
    ]
    try:
        with session.begin_nested():
            session.execute(insert(ClassLabelTable), rows)
    except IntegrityError:
        # Another worker stored the same labels in the same moment.
        return
