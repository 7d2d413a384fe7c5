"""The labels store: what people say that images show, for all versions of a model's name. Rows are only ever added.

Of one image the newest label counts, by the time it was given, among equals by the order in which they came. Knows
nothing of files or of training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session, aliased

from core.types import AnnotationOrigin, Split
from db.bulk import in_parts
from db.label_tables import AnnotationTable


@dataclass(frozen=True, slots=True)
class Annotation:
    """One label by one person."""

    sha256: str  # of the image's content
    label: str  # the class's name
    annotator: str
    origin: AnnotationOrigin
    name: str  # what the image is called
    locator: str  # core.items.locator_to_text
    created_at: float  # seconds since 1970
    split: Split | None = None  # test: to be measured on; None: to be learned from
    shown_model_id: int | None = None  # whose prediction the person saw
    id: int = 0  # its row; 0: not stored yet


# Columns that are called as the fields are.
_WRITTEN = tuple(field.name for field in fields(Annotation) if field.name != "id")


def add_annotations(session: Session, model: str, annotations: Sequence[Annotation]) -> None:
    """Store labels.

    Args:
        session: a writing transaction.
        model: the name that its versions share.
        annotations: in the order in which they were given.
    """
    if not annotations:
        return
    rows = [{"model": model} | {name: getattr(one, name) for name in _WRITTEN} for one in annotations]
    session.execute(insert(AnnotationTable), rows)


def newest_annotations(session: Session, model: str) -> dict[str, Annotation]:
    """The label that counts of each image, by its content."""
    return {found.sha256: found for found in _read(session, _newest(model, by_annotator=False))}


def newest_by_annotator(session: Session, model: str) -> dict[str, list[Annotation]]:
    """The newest label of each person for each image, by its content; the one that counts comes last."""
    found: dict[str, list[Annotation]] = {}
    for annotation in _read(session, _newest(model, by_annotator=True)):
        found.setdefault(annotation.sha256, []).append(annotation)
    return found


def conflicts(session: Session, model: str) -> dict[str, list[Annotation]]:
    """Images that people disagree about, with the newest label of each person; the one that counts comes last."""
    everything = newest_by_annotator(session, model)
    return {
        sha256: annotations
        for sha256, annotations in everything.items()
        if len({annotation.label for annotation in annotations}) > 1
    }


def annotations_of(session: Session, model: str, *, sha256s: Sequence[str] | None = None) -> list[Annotation]:
    """All labels, oldest first.

    Args:
        session: any transaction.
        model: the name that its versions share.
        sha256s: of these images alone; None: of all.
    """
    every = select(AnnotationTable).where(AnnotationTable.model == model)
    if sha256s is None:
        return list(_read(session, every))
    found: list[Annotation] = []
    for some in in_parts(sha256s):
        found += _read(session, every.where(AnnotationTable.sha256.in_(some)))
    return sorted(found, key=lambda annotation: (annotation.created_at, annotation.id))


def annotated_classes(session: Session, model: str) -> set[str]:
    """The classes that labels name."""
    return set(session.scalars(select(AnnotationTable.label).distinct().where(AnnotationTable.model == model)))


def hashes_for_testing(session: Session, model: str) -> set[str]:
    """Images that someone wants to measure on, by their content."""
    asked = select(AnnotationTable.sha256).where(AnnotationTable.model == model, AnnotationTable.split == Split.TEST)
    return set(session.scalars(asked))


def _newest(model: str, *, by_annotator: bool) -> Select[AnnotationTable]:
    group = [AnnotationTable.sha256, AnnotationTable.annotator] if by_annotator else [AnnotationTable.sha256]
    place = func.row_number().over(
        partition_by=group, order_by=(AnnotationTable.created_at.desc(), AnnotationTable.id.desc())
    )
    ranked = select(AnnotationTable, place.label("place")).where(AnnotationTable.model == model).subquery()
    return select(aliased(AnnotationTable, ranked)).where(ranked.c.place == 1)


def _read(session: Session, query: Select[AnnotationTable]) -> Iterator[Annotation]:
    rows = session.scalars(query).all()
    for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
        yield Annotation(**{name: getattr(row, name) for name in (*_WRITTEN, "id")})
