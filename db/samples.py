"""The samples store: what people say the images of a job show, and what training made of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import Session

from core.types import Split
from db.model_tables import SampleTable
from db.tables import ImageTable, ResultTable


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image as its dataset has it."""

    ordinal: int
    name: str
    locator: str  # core.items.locator_from_text reads it
    class_index: int
    split: Split | None  # None: the dataset does not say
    sha256: str | None = None  # the content that was labelled; None: whatever is there


@dataclass(frozen=True, slots=True)
class SampleUse:
    """What training made of a sample."""

    ordinal: int
    used_as: Split | None  # None: left out
    left_out: str | None  # why
    sha256: str | None  # None: it could not be read


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A sample beside what a model says of it."""

    ordinal: int
    name: str
    locator: str
    true: int  # class index
    used_as: Split | None
    left_out: str | None
    sha256: str | None
    topk: str | None  # db.rows.read_topk reads it; None: an error row, or none yet
    reason: str | None  # of an error row
    detail: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a confusion matrix."""

    true: int  # class index
    predicted: int  # likewise
    used_as: Split | None  # the part that was measured; None: all samples of the job


def add_samples(session: Session, job_id: int, labels: Sequence[tuple[int, Split | None]]) -> None:
    """Store what the images of a job show, in the order of their ordinals.

    Args:
        session: a writing transaction.
        job_id: the job.
        labels: class index, and the split that the dataset puts it in.
    """
    rows = [
        {"job_id": job_id, "ordinal": ordinal, "class_index": class_index, "split": split}
        for ordinal, (class_index, split) in enumerate(labels)
    ]
    session.execute(insert(SampleTable), rows)


def samples_of(session: Session, job_id: int) -> list[Sample]:
    """The samples of a job, in the order of its dataset."""
    rows = session.execute(
        select(
            SampleTable.ordinal,
            ImageTable.name,
            ImageTable.locator,
            SampleTable.class_index,
            SampleTable.split,
            ImageTable.sha256,
        )
        .join(ImageTable, and_(ImageTable.job_id == SampleTable.job_id, ImageTable.ordinal == SampleTable.ordinal))
        .where(SampleTable.job_id == job_id)
        .order_by(SampleTable.ordinal)
    )
    return [Sample(*row) for row in rows]


def note_uses(session: Session, job_id: int, uses: Sequence[SampleUse]) -> None:
    """Store what training made of each sample."""
    session.execute(
        update(SampleTable),
        [
            {
                "job_id": job_id,
                "ordinal": use.ordinal,
                "used_as": use.used_as,
                "left_out": use.left_out,
                "sha256": use.sha256,
            }
            for use in uses
        ],
    )


def judged_samples(session: Session, job_id: int, model_id: int) -> list[JudgedSample]:
    """The samples of a job beside the results of one model, in the order of the dataset."""
    rows = session.execute(
        select(
            SampleTable.ordinal,
            ImageTable.name,
            ImageTable.locator,
            SampleTable.class_index,
            SampleTable.used_as,
            SampleTable.left_out,
            SampleTable.sha256,
            ResultTable.topk,
            ResultTable.reason,
            ResultTable.detail,
        )
        .join(ImageTable, _is_image())
        .outerjoin(ResultTable, _is_answer_of(model_id))
        .where(SampleTable.job_id == job_id)
        .order_by(SampleTable.ordinal)
    )
    return [JudgedSample(*tuple(row)) for row in rows]


def samples_in_cell(
    session: Session, job_id: int, model_id: int, cell: Cell, *, after: int, limit: int
) -> list[tuple[int, str, float | None]]:
    """The images behind one cell of a confusion matrix.

    Args:
        session: any transaction.
        job_id: the job that measured.
        model_id: whose answers.
        cell: which.
        after: the ordinal that the page begins behind; -1: the first page.
        limit: at most so many.

    Returns:
        Ordinal, name, and the probability of the answer, in the order of the dataset.
    """
    query = (
        select(SampleTable.ordinal, ImageTable.name, ResultTable.score)
        .join(ImageTable, _is_image())
        .join(ResultTable, _is_answer_of(model_id))
        .where(SampleTable.job_id == job_id, SampleTable.class_index == cell.true)
        .where(ResultTable.class_index == cell.predicted, SampleTable.ordinal > after)
    )
    if cell.used_as is not None:
        query = query.where(SampleTable.used_as == cell.used_as)
    rows = session.execute(query.order_by(SampleTable.ordinal).limit(limit))
    return [(ordinal, name, score) for ordinal, name, score in rows]


def _is_image() -> ColumnElement[bool]:
    """The condition that an image is the sample's."""
    return and_(ImageTable.job_id == SampleTable.job_id, ImageTable.ordinal == SampleTable.ordinal)


def _is_answer_of(model_id: int) -> ColumnElement[bool]:
    """The condition that a result is what one model says of the sample."""
    return and_(
        ResultTable.job_id == SampleTable.job_id,
        ResultTable.ordinal == SampleTable.ordinal,
        ResultTable.model_id == model_id,
    )
