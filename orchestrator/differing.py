"""What two jobs say otherwise of the same images: labels that changed, errors that came or went."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Select, Subquery, and_, func, select
from sqlalchemy.orm import Session, aliased

from core.errors import UsageError
from db.database import Database
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ClassLabelTable, ModelTable
from db.tables import ImageTable, JobTable, ResultTable
from orchestrator.exporting import check_writable, write_rows

COLUMNS = ("image", "label_before", "score_before", "label", "score", "model_before", "model")
# Changes that a summary names.
NUM_NAMED = 5
_ROWS_AT_A_TIME = 2000


@dataclass(frozen=True, slots=True)
class Change:
    """One image of which the later job says something else."""

    image: str
    label_before: str | None  # None: it had an error
    score_before: float | None
    label: str | None
    score: float | None
    model_before: str
    model: str

    def to_json(self, columns: Sequence[str]) -> dict[str, Any]:
        """Plain values, in the columns' order."""
        return {column: getattr(self, column) for column in columns}


@dataclass(frozen=True, slots=True)
class Difference:
    """Two jobs side by side."""

    num_compared: int  # images of the later job that both have an answer to
    num_left: int  # and those to which one has none: not in the earlier job, or not done yet
    num_changed: int
    most_frequent: Sequence[tuple[str, str, int]]  # from, to, images


def export_changes(database: Database, job_id: int, before_id: int, path: Path) -> Difference:
    """Write the images of which a job says something else than an earlier one.

    Args:
        database: where both are.
        job_id: the later job.
        before_id: the earlier one.
        path: the file.

    Raises:
        UnknownJobError: one is not there.
        UsageError: the file cannot be written, or one of the jobs has no labels.
    """
    check_writable(path)
    counts: Counter[tuple[str, str]] = Counter()
    with database.read() as session:
        job, before = _job(session, job_id), _job(session, before_id)

        def changes() -> Iterator[Change]:
            for change in _changes(session, job, before):
                counts[change.label_before or "an error", change.label or "an error"] += 1
                yield change

        num_changed = write_rows(path, changes(), COLUMNS)
        num_compared = session.scalars(_compared(_Sides.of(session, job, before), func.count())).one()
        most_frequent = [(first, second, number) for (first, second), number in counts.most_common(NUM_NAMED)]
        return Difference(num_compared, job.num_planned - num_compared, num_changed, most_frequent)


def _job(session: Session, job_id: int) -> JobTable:
    job = get_job(session, job_id)
    if job.kind.is_training:
        raise UsageError(f"Job {job_id} is a training. Expected two jobs of `labelyard label`.")
    return job


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two jobs, as tables that a statement joins."""

    job: JobTable
    before: JobTable
    model: ModelTable  # the first of each
    model_before: ModelTable
    image: Any = field(default_factory=lambda: aliased(ImageTable))
    result: Any = field(default_factory=lambda: aliased(ResultTable))
    result_before: Any = field(default_factory=lambda: aliased(ResultTable))

    @classmethod
    def of(cls, session: Session, job: JobTable, before: JobTable) -> "_Sides":
        return cls(job, before, models_of(session, job.id)[0], models_of(session, before.id)[0])

    @property
    def are_in_one_order(self) -> bool:
        """Whether one was made of the other."""
        return _is_made_of(self.job, self.before) or _is_made_of(self.before, self.job)


def _changes(session: Session, job: JobTable, before: JobTable) -> Iterator[Change]:
    sides = _Sides.of(session, job, before)
    label, label_before = aliased(ClassLabelTable), aliased(ClassLabelTable)
    columns = (sides.image.name, label_before.label, sides.result_before.score, label.label, sides.result.score)
    query = (
        _compared(sides, *columns)
        .outerjoin(label, _label_of(label, sides.result))
        .outerjoin(label_before, _label_of(label_before, sides.result_before))
        .where(label.label.is_distinct_from(label_before.label))
        .order_by(sides.image.ordinal)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for name, was, score_was, now, score_now in session.execute(query):
        yield Change(name, was, score_was, now, score_now, sides.model_before.label, sides.model.label)


def _compared(sides: _Sides, *columns: Any) -> Select[*tuple[Any, ...]]:  # noqa: ANN401 - whatever can be selected
    """The images that both jobs have answered: by their places if one was made of the other, else by their names."""
    image, result, result_before = sides.image, sides.result, sides.result_before
    query = select(*columns).select_from(image).join(result, _result_of(result, image, sides.model))
    ordinal_before = image.ordinal
    if not sides.are_in_one_order:
        named = _first_of_each_name(sides.before)
        query, ordinal_before = query.join(named, named.c.name == image.name), named.c.ordinal
    return query.join(
        result_before,
        and_(
            result_before.job_id == sides.before.id,
            result_before.ordinal == ordinal_before,
            result_before.model_id == sides.model_before.id,
        ),
    ).where(image.job_id == sides.job.id)


def _first_of_each_name(job: JobTable) -> Subquery:
    """A manifest may name an image twice; the same image has the same label."""
    return (
        select(ImageTable.name, func.min(ImageTable.ordinal).label("ordinal"))
        .where(ImageTable.job_id == job.id)
        .group_by(ImageTable.name)
        .subquery()
    )


def _is_made_of(job: JobTable, other: JobTable) -> bool:
    return [source.get("location") for source in job.sources] == [f"job:{other.id}"]


def _result_of(result: Any, image: Any, model: ModelTable) -> Any:  # noqa: ANN401 - aliases of mapped classes
    return and_(result.job_id == image.job_id, result.ordinal == image.ordinal, result.model_id == model.id)


def _label_of(label: Any, result: Any) -> Any:  # noqa: ANN401 - as above
    return and_(label.model_id == result.model_id, label.class_index == result.class_index)
