"""The models store: named, versioned classifiers, what their classes are called, and which version is in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.labels import ClassLabel
from core.types import ResizeMode, TrainMode
from db.clock import now_s
from db.model_tables import ClassLabelTable, ModelTable
from db.promotions import champion_of


@dataclass(frozen=True, slots=True)
class NewModel:
    """A version that is about to be trained, or was brought from elsewhere."""

    name: str
    backbone: str
    mode: TrainMode
    resize: ResizeMode
    labels: tuple[ClassLabel, ...]


def find_model(session: Session, name: str, version: int) -> ModelTable | None:
    """The model of that name and version, if there is one."""
    return session.scalars(
        select(ModelTable).where(ModelTable.name == name, ModelTable.version == version)
    ).one_or_none()


def label_of(session: Session, model_id: int | None) -> str | None:
    """What a user types for a model, by its id; None: there is none, or it was deleted."""
    model = None if model_id is None else session.get(ModelTable, model_id)
    return None if model is None else model.label


def latest_model(session: Session, name: str) -> ModelTable | None:
    """The newest version of that name, trained or not, if there is one."""
    return session.scalars(
        select(ModelTable).where(ModelTable.name == name).order_by(ModelTable.version.desc()).limit(1)
    ).one_or_none()


def list_models(session: Session, *, name: str | None = None) -> Sequence[ModelTable]:
    """All models that were trained or imported here, by name, newest version first."""
    query = select(ModelTable).where(ModelTable.mode.is_not(None))
    if name is not None:
        query = query.where(ModelTable.name == name)
    return session.scalars(query.order_by(ModelTable.name, ModelTable.version.desc())).all()


def ensure_model(session: Session, *, name: str, version: int, backbone: str) -> int:
    """The id of a model that follows from the program alone (an ImageNet classifier), made at its first use."""
    found = find_model(session, name, version)
    if found is not None:
        return found.id
    row = {"name": name, "version": version, "backbone": backbone, "created_at": now_s(), "ready_at": now_s()}
    try:
        with session.begin_nested():
            return session.scalars(insert(ModelTable).values(**row).returning(ModelTable.id)).one()
    except IntegrityError:
        # Another process made it between our look and our insert.
        return session.scalars(
            select(ModelTable.id).where(ModelTable.name == name, ModelTable.version == version)
        ).one()


def add_version(session: Session, new: NewModel) -> ModelTable:
    """Make the next version of a name. It is not ready until its weights are there."""
    while True:
        newest = session.scalars(select(func.max(ModelTable.version)).where(ModelTable.name == new.name)).one()
        champion = champion_of(session, new.name)
        row = {
            "name": new.name,
            "version": (newest or 0) + 1,
            "backbone": new.backbone,
            "mode": new.mode,
            "resize": new.resize,
            "parent_id": None if champion is None else champion.id,
            "created_at": now_s(),
        }
        try:
            with session.begin_nested():
                model_id = session.scalars(insert(ModelTable).values(**row).returning(ModelTable.id)).one()
        except IntegrityError:
            # Someone else made this very version in the same moment; ours is the one behind it.
            continue
        ensure_labels(session, model_id, new.labels)
        return session.get_one(ModelTable, model_id)


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
