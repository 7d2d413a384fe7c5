"""Pages of a job's results for those who look: filtered, behind a cursor, in source order."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session, join

from core.types import Reason
from db.results import LabelledImage, labelled_image
from db.tables import ImageTable, ResultTable


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which images are looked for; by default all, those without a row too."""

    class_indices: Sequence[int] | None = None  # whose best class is one of these
    min_score: float | None = None
    max_score: float | None = None
    reasons: Sequence[Reason] | None = None  # that have one of these errors
    needs_review: bool | None = None

    @property
    def needs_result(self) -> bool:
        """Whether images that still wait are left out."""
        return self != ResultFilter()


def read_page(
    session: Session, job_id: int, model_id: int, wanted: ResultFilter, *, after: int, limit: int
) -> list[LabelledImage]:
    """The next images of a job with what one model says of them.

    Args:
        session: any transaction.
        job_id: the job.
        model_id: whose answers.
        wanted: which images.
        after: the ordinal that the page begins behind; -1: the first page.
        limit: at most so many.
    """
    query = (
        _filtered(model_id, wanted)
        .where(ImageTable.job_id == job_id, ImageTable.ordinal > after)
        .order_by(ImageTable.ordinal)
        .limit(limit)
    )
    return [labelled_image(image, result) for image, result in session.execute(query)]


def read_one(session: Session, job_id: int, model_id: int, ordinal: int) -> LabelledImage | None:
    """One image of a job with what one model says of it; None: the job has no such image."""
    found = read_page(session, job_id, model_id, ResultFilter(), after=ordinal - 1, limit=1)
    return found[0] if found and found[0].ordinal == ordinal else None


def read_locator(session: Session, job_id: int, ordinal: int) -> str | None:
    """Where an image of a job is, for `core.items.locator_from_text`; None: the job has no such image."""
    return session.scalar(select(ImageTable.locator).where(ImageTable.job_id == job_id, ImageTable.ordinal == ordinal))


def _filtered(model_id: int, wanted: ResultFilter) -> Select[ImageTable, ResultTable]:
    on = and_(
        ResultTable.job_id == ImageTable.job_id,
        ResultTable.ordinal == ImageTable.ordinal,
        ResultTable.model_id == model_id,
    )
    side_by_side = join(ImageTable, ResultTable, on, isouter=not wanted.needs_result)
    query = select(ImageTable, ResultTable).select_from(side_by_side)
    if wanted.class_indices is not None:
        query = query.where(ResultTable.class_index.in_(wanted.class_indices))
    if wanted.min_score is not None:
        query = query.where(ResultTable.score >= wanted.min_score)
    if wanted.max_score is not None:
        query = query.where(ResultTable.score <= wanted.max_score)
    if wanted.reasons is not None:
        query = query.where(ResultTable.reason.in_(wanted.reasons))
    if wanted.needs_review is not None:
        query = query.where(ResultTable.needs_review.is_(wanted.needs_review))
    return query
