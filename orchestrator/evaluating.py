"""Measuring any model on labelled images: a labelling job whose images come with what people say of them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import DatasetError
from core.jobs import DEFAULT_CHUNK_SIZE, Idempotency, JobRequest, LabelOptions
from core.labels import ClassLabel
from core.settings import Settings
from core.types import JobKind, Priority, ResizeMode, Split
from db.database import Database
from db.ledger import accepting
from db.ledger.progress import models_of
from db.model_tables import EvaluationTable
from db.models import find_model
from db.results import class_labels, class_names
from db.rows import read_topk
from db.samples import JudgedSample, judged_samples
from db.tables import JobTable
from db.trainings import NewEvaluation, add_evaluation
from orchestrator.datasets import Dataset
from orchestrator.naming import ModelName, model_id_of, parse_model
from orchestrator.submitting import Submitted, check_resize, resume_same
from orchestrator.tracing import traced
from orchestrator.training import DatasetRequest, accept_samples
from workers.access import Access
from workers.ml.catalog import get_backbone
from workers.ml.evaluation import Evaluation, evaluate
from workers.ml.weights import ensure_weights, imagenet_labels
from workers.ml.zero_shot import map_classes

# Of a dataset that says what its images are for, the part that is fit for measuring.
_FIT_FOR_MEASURING = (Split.TEST, Split.VAL)


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What a user asks `evaluate` to do."""

    model: str  # as typed
    dataset: DatasetRequest
    resize: ResizeMode | None = None  # a trained model has its own
    priority: Priority = Priority.BULK
    idempotency: Idempotency | None = None


@traced
def submit_evaluation(database: Database, settings: Settings, request: EvaluateRequest) -> Submitted:
    """Check a request, then accept it, or find the unfinished job that made the same one.

    Raises:
        UsageError: the model or the dataset cannot be meant, or the model does not know the dataset's classes.
        WeightsError: embedded, and the published weights cannot be had.
    """
    with database.read() as session:
        model = parse_model(session, request.model)
    check_resize([model], request.resize)
    if settings.is_embedded and model.needs_weights:
        ensure_weights(get_backbone(model.backbone))
    dataset = _fit_for_measuring(request.dataset.open(Access.of(settings)))
    options = LabelOptions(resize=request.resize or ResizeMode.CROP)
    request_hash = _hash(request, model)
    with database.write() as session:
        resumed = resume_same(session, request_hash, request.priority, request.idempotency)
        if resumed is not None:
            return resumed
        dataset = _in_classes_of(session, model, dataset)
        job_id = accepting.accept(
            session,
            JobRequest(
                name=request.dataset.text,
                model_ids=(model_id_of(session, model),),
                sources=[request.dataset.to_json()],
                request_hash=request_hash,
                options=options,
                priority=request.priority,
                kind=JobKind.EVALUATE,
                idempotency=request.idempotency,
            ),
        )
        accept_samples(session, job_id, dataset, chunk_size=DEFAULT_CHUNK_SIZE)
    return Submitted(job_id, is_resumed=False)


def conclude_evaluation(database: Database, job_id: int) -> None:
    """Measure what an evaluation's labelling came to, and store it with each model; once.

    Raises:
        DatasetError: no image could be read.
    """
    with database.write() as session:
        # Locked, so that of two who conclude in the same moment one finds the other's work.
        job = session.get_one(JobTable, job_id, with_for_update=True)
        if session.scalars(select(EvaluationTable.id).where(EvaluationTable.job_id == job_id)).first() is not None:
            return
        models = models_of(session, job_id)
        # Of several models the classes of the first begin with those of each other one.
        names = class_names(session, models[0].id)
        for model in models:
            judged = [sample for sample in judged_samples(session, job_id, model.id) if sample.topk is not None]
            if not judged:
                raise DatasetError("None of the images could be read, so there is nothing to measure.")
            found = measure(judged, names)
            evaluation = NewEvaluation(
                dataset=job.name,
                split=None,
                num_images=found.num_images,
                accuracy=found.accuracy,
                metrics=found.to_json(),
            )
            add_evaluation(session, model.id, evaluation, job_id=job_id)


def evaluation_of(session: Session, job_id: int) -> Evaluation:
    """What an evaluation that has ended came to, of its first model."""
    rows = select(EvaluationTable).where(EvaluationTable.job_id == job_id).order_by(EvaluationTable.id).limit(1)
    row = session.scalars(rows).one()
    return Evaluation.from_json(row.metrics)


def measure(judged: Sequence[JudgedSample], classes: Sequence[str]) -> Evaluation:
    """How good the answers to some images are.

    Args:
        judged: images with answers.
        classes: what the model's classes are called.
    """
    answers = [read_topk(str(sample.topk)) for sample in judged]
    true = np.array([sample.true for sample in judged])
    indices = np.array([[index for index, _ in answer] for answer in answers])
    scores = np.array([[score for _, score in answer] for answer in answers], np.float32)
    return evaluate(true, indices, scores, classes)


def _fit_for_measuring(dataset: Dataset) -> Dataset:
    for split in _FIT_FOR_MEASURING:
        items = tuple(labelled for labelled in dataset.items if labelled.split is split)
        if items:
            return replace(dataset, items=items)
    return dataset


def _in_classes_of(session: Session, model: ModelName, dataset: Dataset) -> Dataset:
    """The dataset with class indices of the model."""
    indices = map_classes(dataset.classes, _labels_of(session, model))
    items = tuple(replace(labelled, class_index=indices[labelled.class_index]) for labelled in dataset.items)
    return replace(dataset, items=items)


def _labels_of(session: Session, model: ModelName) -> list[ClassLabel]:
    if model.is_published:
        return imagenet_labels()
    found = find_model(session, model.name, model.version)
    return [] if found is None else [label for _, label in sorted(class_labels(session, found.id).items())]


def _hash(request: EvaluateRequest, model: ModelName) -> str:
    asked = {
        "evaluate": str(model),
        "dataset": request.dataset.to_json(),
        "resize": request.resize,
        "classes": request.dataset.classes,
        "cwd": str(Path.cwd()),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
