"""Images of a job that a person could be asked about: not labelled, learned from by nobody, never handed out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import JobKind, JobState
from db.datasets import newest_dataset
from db.label_tables import AnnotationTable, DatasetItemTable, DatasetTable, ReviewTable
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable
from db.rows import read_topk
from db.tables import ImageTable, JobModelTable, JobTable, ResultTable
from orchestrator.retraining.composing import latest_dataset
from workers.ml.selection import Answers

# Labelled images that candidates are compared with; of more, as many.
MAX_LABELLED = 20_000


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
    """The candidates of one job."""

    job_id: int
    model: ModelTable  # the version that predicted
    images: Sequence[Candidate]

    def answers(self, num_classes: int) -> Answers:
        """What the model says of each."""
        return Answers(
            np.array([[index for index, _ in image.topk] for image in self.images], int),
            np.array([[score for _, score in image.topk] for image in self.images]),
            num_classes,
        )


def find_candidates(session: Session, name: str, job_id: int | None) -> Candidates:
    """Look for images worth asking about.

    Args:
        session: a writing transaction; what the first training learned from is noted if it was not yet.
        name: of the model.
        job_id: whose images; None: of the newest job that a version of that name has labelled.

    Raises:
        UsageError: there is no such job, or its images were not hashed.
    """
    latest_dataset(session, name)
    job = get_job(session, _newest_job(session, name) if job_id is None else job_id)
    model = next((model for model in models_of(session, job.id) if model.name == name), None)
    if model is None or job.kind is not JobKind.LABEL:
        raise UsageError(
            f"Job {job.id} has not been labelled by {name!r}. Name a job of `labelyard label --model {name}`."
        )
    if job.state is not JobState.DONE:
        raise UsageError(f"Job {job.id} is {job.state}. What is worth a look is known when it is done.")
    _require_hashes(session, job.id, model.id)
    return Candidates(job.id, model, _images(session, name, job.id, model.id))


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


def _images(session: Session, name: str, job_id: int, model_id: int) -> list[Candidate]:
    in_a_dataset = (
        exists()
        .where(DatasetItemTable.dataset_id == DatasetTable.id, DatasetTable.model == name)
        .where(DatasetItemTable.sha256 == ResultTable.sha256)
    )
    rows = session.execute(
        select(ResultTable.ordinal, ImageTable.name, ImageTable.locator, ResultTable.sha256, ResultTable.topk)
        .join(ImageTable, (ImageTable.job_id == ResultTable.job_id) & (ImageTable.ordinal == ResultTable.ordinal))
        .where(
            ResultTable.job_id == job_id,
            ResultTable.model_id == model_id,
            ResultTable.topk.is_not(None),
            ResultTable.sha256.is_not(None),
            ~exists().where(ReviewTable.model == name, ReviewTable.sha256 == ResultTable.sha256),
            ~exists().where(AnnotationTable.model == name, AnnotationTable.sha256 == ResultTable.sha256),
            ~in_a_dataset,
        )
        .order_by(ResultTable.ordinal)
    )
    found: dict[str, Candidate] = {}
    for ordinal, image, locator, sha256, topk in rows:
        # Of files with one content the first will do.
        found.setdefault(str(sha256), Candidate(ordinal, image, locator, str(sha256), read_topk(str(topk))))
    return list(found.values())
