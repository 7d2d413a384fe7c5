"""The results store: a job's rows in source order, by keyset pages, and what they add up to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, join

from core.labels import ClassLabel
from core.types import Reason
from db.model_tables import ClassLabelTable
from db.rows import read_topk
from db.tables import ImageTable, ResultTable

PAGE_SIZE = 2000


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image of a job and what it ended with; neither prediction nor error if it still waits."""

    ordinal: int
    name: str  # the source's own name for it
    locator: str  # core.items.locator_from_text reads it
    class_index: int | None
    score: float | None
    topk: list[tuple[int, float]]  # class index and probability, best first
    reason: Reason | None
    detail: str | None
    needs_review: bool | None  # None: nobody asked
    sha256: str | None  # of the content that was seen


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


def labelled_images(session: Session, job_id: int, model_id: int, *, after: int = -1) -> Iterator[LabelledImage]:
    """Every image of a job with its result for one model, in source order, read page by page."""
    while True:
        page = read_page(session, job_id, model_id, ResultFilter(), after=after, limit=PAGE_SIZE)
        session.expunge_all()  # a page that was read is not kept in memory
        yield from page
        if len(page) < PAGE_SIZE:
            return
        after = page[-1].ordinal


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
    return [_labelled(image, result) for image, result in session.execute(query)]


def read_one(session: Session, job_id: int, model_id: int, ordinal: int) -> LabelledImage | None:
    """One image of a job with what one model says of it; None: the job has no such image."""
    found = read_page(session, job_id, model_id, ResultFilter(), after=ordinal - 1, limit=1)
    return found[0] if found and found[0].ordinal == ordinal else None


def read_locator(session: Session, job_id: int, ordinal: int) -> str | None:
    """Where an image of a job is, for `core.items.locator_from_text`; None: the job has no such image."""
    return session.scalar(select(ImageTable.locator).where(ImageTable.job_id == job_id, ImageTable.ordinal == ordinal))


def class_labels(session: Session, model_id: int) -> dict[int, ClassLabel]:
    """What a model's classes are called, by class index."""
    rows = session.scalars(select(ClassLabelTable).where(ClassLabelTable.model_id == model_id))
    return {row.class_index: ClassLabel(row.label, row.label_id) for row in rows}


def class_names(session: Session, model_id: int) -> tuple[str, ...]:
    """What a model's classes are called, in the order of their indices."""
    return tuple(label.label for _, label in sorted(class_labels(session, model_id).items()))


def count_labels(session: Session, job_id: int, model_id: int, *, limit: int) -> list[tuple[str, int]]:
    """The most frequent labels of a job, most frequent first."""
    number = func.count()
    rows = session.execute(
        select(ClassLabelTable.label, number)
        .join(
            ResultTable,
            and_(
                ResultTable.model_id == ClassLabelTable.model_id,
                ResultTable.class_index == ClassLabelTable.class_index,
            ),
        )
        .where(ResultTable.job_id == job_id, ResultTable.model_id == model_id)
        # By name, because people read it: ImageNet calls two of its classes "crane".
        .group_by(ClassLabelTable.label)
        .order_by(number.desc(), ClassLabelTable.label)
        .limit(limit)
    )
    return [(label, count) for label, count in rows]


def count_names(session: Session, job_id: int, model_id: int) -> int:
    """How many different labels a model gave in a job."""
    classes = select(ResultTable.class_index).where(ResultTable.job_id == job_id, ResultTable.model_id == model_id)
    return session.scalars(
        select(func.count(ClassLabelTable.label.distinct())).where(
            ClassLabelTable.model_id == model_id, ClassLabelTable.class_index.in_(classes)
        )
    ).one()


def count_to_review(session: Session, job_id: int) -> int | None:
    """How many predictions of a job need a human look; None: nobody asked."""
    found = dict(
        session.execute(
            select(ResultTable.needs_review, func.count())
            .where(ResultTable.job_id == job_id, ResultTable.needs_review.is_not(None))
            .group_by(ResultTable.needs_review)
        ).all()
    )
    return found.get(True, 0) if found else None


def _labelled(image: ImageTable, result: ResultTable | None) -> LabelledImage:
    if result is None:
        return LabelledImage(image.ordinal, image.name, image.locator, None, None, [], None, None, None, None)
    return LabelledImage(
        image.ordinal,
        image.name,
        image.locator,
        result.class_index,
        result.score,
        read_topk(result.topk) if result.topk else [],
        result.reason,
        result.detail,
        result.needs_review,
        result.sha256,
    )


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
