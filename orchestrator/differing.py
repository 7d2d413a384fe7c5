"""What two jobs say otherwise of the same images: labels that changed, errors that came or went."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import and_, collate, select
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name
from core.labels import ClassLabel
from db.database import Database
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable
from db.results import class_labels
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
    with database.read() as session:
        comparison = compare_jobs(session, job_id, before_id)
        num_changed = write_rows(path, comparison.changes(), COLUMNS)
        return comparison.difference(num_changed)


def compare_jobs(session: Session, job_id: int, before_id: int) -> "JobComparison":
    """Put two jobs side by side.

    Args:
        session: a transaction that stays open while they are gone through.
        job_id: the later job.
        before_id: the earlier one.

    Raises:
        UnknownJobError: one is not there.
        UsageError: one of them has no labels.
    """
    return JobComparison(session, _job(session, job_id), _job(session, before_id))


def _job(session: Session, job_id: int) -> JobTable:
    job = get_job(session, job_id)
    if job.kind.is_training:
        raise UsageError(f"Job {job_id} is a training. Expected two jobs of `labelyard label`.")
    return job


class JobComparison:
    """Two jobs, gone through side by side: by their images' places if one was made of the other, else by their names.

    Both are read in that order and merged here. Left to the databases, which know nothing of how many images a job has,
    the join went through all of one job for each image of the other.
    """

    def __init__(self, session: Session, job: JobTable, before: JobTable) -> None:
        self._job, self._before = job, before
        self._by_place = _is_made_of(job, before) or _is_made_of(before, job)
        self._answers = _Answers.of(session, job)
        self._answers_before = _Answers.of(session, before)
        self._num_compared = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def changes(self) -> Iterator[Change]:
        """The images of which the two say something else."""
        models = self._answers_before.model.label, self._answers.model.label
        with (
            closing(self._answers_before.read(by_place=self._by_place)) as answers_before,
            closing(self._answers.read(by_place=self._by_place)) as answers,
        ):
            for was, now in _merged(answers_before, answers):
                self._num_compared += 1
                if was.label != now.label:
                    self._counts[was.label or "an error", now.label or "an error"] += 1
                    yield Change(now.name, was.label, was.score, now.label, now.score, *models)

    def difference(self, num_changed: int) -> Difference:
        """What the changes came to, once they have all been gone through."""
        most_frequent = [(was, now, number) for (was, now), number in self._counts.most_common(NUM_NAMED)]
        return Difference(self._num_compared, self._job.num_planned - self._num_compared, num_changed, most_frequent)


@dataclass(frozen=True, slots=True)
class _Answer:
    key: tuple[str, int]  # its name or its place: what it is found by, and sorted by
    name: str
    label: str | None  # None: an error
    score: float | None


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the first model of a job says of its images."""

    session: Session
    job_id: int
    model: ModelTable
    labels: Mapping[int, ClassLabel]

    @classmethod
    def of(cls, session: Session, job: JobTable) -> "_Answers":
        model = models_of(session, job.id)[0]
        return cls(session, job.id, model, class_labels(session, model.id))

    def read(self, *, by_place: bool) -> Generator[_Answer, None, None]:
        """All that are there, sorted."""
        # By bytes on either database, which is how Python sorts text that has no surrogates.
        collation = "BINARY" if self.session.get_bind().dialect.name == "sqlite" else "C"
        order = [ImageTable.ordinal] if by_place else [collate(ImageTable.name, collation), ImageTable.ordinal]
        query = (
            select(ImageTable.ordinal, ImageTable.name, ResultTable.class_index, ResultTable.score)
            .join(
                ResultTable,
                and_(ResultTable.job_id == ImageTable.job_id, ResultTable.ordinal == ImageTable.ordinal),
            )
            .where(ImageTable.job_id == self.job_id, ResultTable.model_id == self.model.id)
            .order_by(*order)
            .execution_options(yield_per=_ROWS_AT_A_TIME)
        )
        with self.session.execute(query) as rows:
            for ordinal, name, class_index, score in rows:
                label = None if class_index is None else self.labels[class_index].label
                yield _Answer(("", ordinal) if by_place else (escape_name(name), 0), name, label, score)


def _merged(before: Iterator[_Answer], answers: Iterator[_Answer]) -> Iterator[tuple[_Answer, _Answer]]:
    """Each answer beside the first one before of the same key; those without one are left out.

    A manifest may name an image twice; the same image has the same label.
    """
    was = next(before, None)
    for now in answers:
        while was is not None and was.key < now.key:
            was = next(before, None)
        if was is None:
            return
        if was.key == now.key:
            yield was, now


def _is_made_of(job: JobTable, other: JobTable) -> bool:
    return [source.get("location") for source in job.sources] == [f"job:{other.id}"]
