"""What two jobs say otherwise of the same images: labels that changed, errors that came or went."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select
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
    label_before: str | None  # None: it had an error, or no row
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

    num_images: int  # of the later job
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
        most_frequent = [(first, second, number) for (first, second), number in counts.most_common(NUM_NAMED)]
        return Difference(job.num_planned, num_changed, most_frequent)


def _job(session: Session, job_id: int) -> JobTable:
    job = get_job(session, job_id)
    if job.kind.is_training:
        raise UsageError(f"Job {job_id} is a training. Expected two jobs of `labelyard label`.")
    return job


def _changes(session: Session, job: JobTable, before: JobTable) -> Iterator[Change]:
    """By the images' places if one job was made of the other, else by their names."""
    model, model_before = models_of(session, job.id)[0], models_of(session, before.id)[0]
    image, image_before = aliased(ImageTable), aliased(ImageTable)
    result, result_before = aliased(ResultTable), aliased(ResultTable)
    label, label_before = aliased(ClassLabelTable), aliased(ClassLabelTable)
    is_made_of = [source.get("location") for source in job.sources] == [f"job:{before.id}"]
    same = image_before.ordinal == image.ordinal if is_made_of else image_before.name == image.name
    query = (
        select(image.name, label_before.label, result_before.score, label.label, result.score)
        .join(image_before, and_(image_before.job_id == before.id, same))
        .outerjoin(result, _result_of(result, image, model))
        .outerjoin(result_before, _result_of(result_before, image_before, model_before))
        .outerjoin(label, and_(label.model_id == model.id, label.class_index == result.class_index))
        .outerjoin(
            label_before,
            and_(label_before.model_id == model_before.id, label_before.class_index == result_before.class_index),
        )
        .where(image.job_id == job.id, label.label.is_distinct_from(label_before.label))
        .order_by(image.ordinal)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for name, was, score_was, now, score_now in session.execute(query):
        yield Change(name, was, score_was, now, score_now, model_before.label, model.label)


def _result_of(result: Any, image: Any, model: ModelTable) -> Any:  # noqa: ANN401 - aliases of mapped classes
    return and_(result.job_id == image.job_id, result.ordinal == image.ordinal, result.model_id == model.id)
