"""Images of a job that a person could be asked about: not labelled, learned from by nobody, never handed out."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import JobKind, JobState
from db.bulk import in_parts
from db.datasets import newest_dataset
from db.label_tables import AnnotationTable, DatasetItemTable, DatasetTable, ReviewTable
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable
from db.results import class_labels
from db.rows import read_topk
from db.tables import ImageTable, JobModelTable, JobTable, ResultTable
from workers.ml.selection import Answers

# Labelled images that candidates are compared with; of more, as many.
MAX_LABELLED = 5_000
# Classes of each prediction that are looked at; more tell little of how unsure a model is.
MAX_CLASSES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that a person could be asked about."""

    ordinal: int
    name: str
    locator: str  # core.items.locator_to_text
    sha256: str
    topk: list[tuple[int, float]]  # class index and probability, best first


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """The candidates of one job, as arrays: there may be a million."""

    job_id: int
    model: ModelTable  # the version that predicted
    ordinals: np.ndarray  # (N,) int64
    answers: Answers


def find_candidates(session: Session, name: str, job_id: int | None) -> Candidates:
    """Look for images worth asking about.

    Args:
        session: any transaction, after `latest_dataset` has noted what the first training learned from.
        name: of the model.
        job_id: whose images; None: of the newest job that a version of that name has labelled.

    Raises:
        UsageError: there is no such job, or its images were not hashed.
    """
    job = get_job(session, _newest_job(session, name) if job_id is None else job_id)
    model = next((model for model in models_of(session, job.id) if model.name == name), None)
    if model is None or job.kind is not JobKind.LABEL:
        raise UsageError(
            f"Job {job.id} has not been labelled by {name!r}. Name a job of `labelyard label --model {name}`."
        )
    if job.state is not JobState.DONE:
        raise UsageError(f"Job {job.id} is {job.state}. What is worth a look is known when it is done.")
    _require_hashes(session, job.id, model.id)
    ordinals, indices, scores = _answers(session, name, job.id, model.id)
    return Candidates(job.id, model, ordinals, Answers(indices, scores, len(class_labels(session, model.id))))


def read_images(session: Session, candidates: Candidates, positions: Sequence[int]) -> list[Candidate]:
    """Some candidates as they are handed out, in the order of their positions."""
    ordinals = [int(candidates.ordinals[position]) for position in positions]
    found: dict[int, Candidate] = {}
    for some in in_parts(ordinals):
        rows = session.execute(
            select(ResultTable.ordinal, ImageTable.name, ImageTable.locator, ResultTable.sha256, ResultTable.topk)
            .join(ImageTable, (ImageTable.job_id == ResultTable.job_id) & (ImageTable.ordinal == ResultTable.ordinal))
            .where(ResultTable.job_id == candidates.job_id, ResultTable.model_id == candidates.model.id)
            .where(ResultTable.ordinal.in_(some))
        )
        for ordinal, name, locator, sha256, topk in rows:
            found[ordinal] = Candidate(ordinal, name, locator, str(sha256), read_topk(str(topk)))
    return [found[ordinal] for ordinal in ordinals]


def why_none_is_left(session: Session, name: str, candidates: Candidates) -> str:
    """Why a job has no candidates, and what to do. Copies count once, each for the first reason that holds."""
    of_job = _of_job(candidates.job_id, candidates.model.id)
    labelled, shown, known = _is_labelled(name), _was_handed_out(name), _is_in_a_dataset(name)
    num_images, num_labelled, num_open, num_known = (
        session.scalars(select(func.count(ResultTable.sha256.distinct())).where(*of_job, *more)).one()
        for more in ((), (labelled,), (~labelled, shown), (~labelled, ~shown, known))
    )
    reasons = [
        f"{number:,} {what}"
        for number, what in (
            (num_labelled, "have labels by people"),
            (num_open, "were handed out and have no label yet (`labelyard review list`)"),
            (num_known, f"are in the dataset that {name!r} learned from or is measured on"),
        )
        if number
    ]
    held = (
        f"Of its {num_images:,} different images, {', '.join(reasons)}."
        if reasons
        else "None of its images got a label from the model."
    )
    more = f"Label more photographs: `labelyard label PHOTOS --model {name}`."
    return f"Nothing is left to look at in job {candidates.job_id}. {held} {more}"


def labelled_hashes(session: Session, name: str) -> list[str]:
    """Images that are labelled: by people, or in the newest dataset."""
    newest = newest_dataset(session, name)
    hashes = set(session.scalars(select(AnnotationTable.sha256).where(AnnotationTable.model == name)))
    if newest is not None:
        items = select(DatasetItemTable.sha256).where(DatasetItemTable.dataset_id == newest.id)
        hashes |= set(session.scalars(items))
    return sorted(hashes)[:MAX_LABELLED]


def _newest_job(session: Session, name: str) -> int:
    found = session.scalars(
        select(JobTable.id)
        .join(JobModelTable, JobModelTable.job_id == JobTable.id)
        .join(ModelTable, ModelTable.id == JobModelTable.model_id)
        .where(ModelTable.name == name, JobTable.kind == JobKind.LABEL, JobTable.state == JobState.DONE)
        .order_by(JobTable.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise UsageError(
            f"{name!r} has labelled nothing yet, so there is nothing to look at. First "
            f"`labelyard label PHOTOS --model {name}`."
        )
    return found


def _require_hashes(session: Session, job_id: int, model_id: int) -> None:
    of_job = (ResultTable.job_id == job_id, ResultTable.model_id == model_id, ResultTable.class_index.is_not(None))
    has_rows = session.scalars(select(exists().where(*of_job))).one()
    has_hashes = session.scalars(select(exists().where(*of_job, ResultTable.sha256.is_not(None)))).one()
    if has_rows and not has_hashes:
        raise UsageError(
            f"Job {job_id} was labelled with --no-features, or before its images were hashed, so they cannot be told "
            "apart. Label them again."
        )


def _answers(session: Session, name: str, job_id: int, model_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ordinals (N,), class indices (N, K) and probabilities (N, K) of the candidates, in the order of the job."""
    rows = session.execute(
        select(ResultTable.ordinal, ResultTable.sha256, ResultTable.topk)
        .where(*_of_job(job_id, model_id), ~_was_handed_out(name), ~_is_labelled(name), ~_is_in_a_dataset(name))
        .order_by(ResultTable.ordinal)
        .execution_options(yield_per=10_000)
    )
    seen: set[bytes] = set()
    ordinals, indices, scores = array("q"), array("q"), array("d")
    for ordinal, sha256, topk in rows:
        # Of files with one content the first will do.
        content = bytes.fromhex(str(sha256))
        if content in seen:
            continue
        seen.add(content)
        ordinals.append(ordinal)
        best = read_topk(str(topk))[:MAX_CLASSES]
        indices.extend(index for index, _ in best)
        scores.extend(score for _, score in best)
    shape = (len(ordinals), len(indices) // max(1, len(ordinals)))
    return np.array(ordinals), np.array(indices).reshape(shape), np.array(scores).reshape(shape)


def _of_job(job_id: int, model_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        ResultTable.job_id == job_id,
        ResultTable.model_id == model_id,
        ResultTable.topk.is_not(None),
        ResultTable.sha256.is_not(None),
    )


def _was_handed_out(name: str) -> ColumnElement[bool]:
    return exists().where(ReviewTable.model == name, ReviewTable.sha256 == ResultTable.sha256)


def _is_labelled(name: str) -> ColumnElement[bool]:
    return exists().where(AnnotationTable.model == name, AnnotationTable.sha256 == ResultTable.sha256)


def _is_in_a_dataset(name: str) -> ColumnElement[bool]:
    return (
        exists()
        .where(DatasetItemTable.dataset_id == DatasetTable.id, DatasetTable.model == name)
        .where(DatasetItemTable.sha256 == ResultTable.sha256)
    )
