"""The trainings store: epochs as they end, checkpoints, and the moment when a model becomes ready."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from core.training import EpochMetrics, TrainingRecord
from core.types import Split
from db.artifacts import complete_artifacts
from db.clock import now_s
from db.model_tables import EpochTable, EvaluationTable, ModelTable
from db.promotions import champion_of, promote


@dataclass(frozen=True, slots=True)
class NewEvaluation:
    """How good a model was found to be."""

    dataset: str  # as the user called it
    split: Split | None  # of the model's own dataset
    num_images: int
    accuracy: float
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What makes a model ready."""

    artifact_ids: tuple[int, ...]
    fingerprint: str
    temperature: float
    record: TrainingRecord
    evaluations: tuple[NewEvaluation, ...]


def add_epoch(session: Session, model_id: int, epoch: Sequence[EpochMetrics]) -> None:
    """Store how an epoch went, one row per split; an epoch that is run again replaces its rows."""
    session.execute(delete(EpochTable).where(EpochTable.model_id == model_id, EpochTable.number >= epoch[0].number))
    session.execute(insert(EpochTable), [{"model_id": model_id, **asdict(metrics)} for metrics in epoch])


def epochs_of(session: Session, model_id: int) -> list[EpochMetrics]:
    """How a model's epochs went, in order."""
    rows = session.scalars(
        select(EpochTable).where(EpochTable.model_id == model_id).order_by(EpochTable.number, EpochTable.split)
    )
    return [
        EpochMetrics(row.number, row.stage, row.split, row.loss, row.accuracy, row.learning_rate, row.duration_s)
        for row in rows
    ]


def make_ready(session: Session, model: ModelTable, trained: TrainedModel) -> None:
    """Put a model into the world: from now on it can be used. The first of its name is in use at once."""
    complete_artifacts(session, model.id, trained.artifact_ids)
    session.execute(
        update(ModelTable)
        .where(ModelTable.id == model.id)
        .values(
            ready_at=now_s(),
            fingerprint=trained.fingerprint,
            temperature=trained.temperature,
            training=trained.record.to_json(),
        )
    )
    session.refresh(model)
    for evaluation in trained.evaluations:
        add_evaluation(session, model.id, evaluation, job_id=model.job_id)
    if champion_of(session, model.name) is None:
        promote(session, model)


def add_evaluation(session: Session, model_id: int, evaluation: NewEvaluation, *, job_id: int | None) -> None:
    """Store how good a model is on some images."""
    session.execute(
        insert(EvaluationTable).values(
            model_id=model_id,
            job_id=job_id,
            dataset=evaluation.dataset,
            split=evaluation.split,
            num_images=evaluation.num_images,
            accuracy=evaluation.accuracy,
            metrics=dict(evaluation.metrics),
            created_at=now_s(),
        )
    )


def evaluations_of(session: Session, model_id: int) -> Sequence[EvaluationTable]:
    """How good a model was found to be, oldest first."""
    return session.scalars(
        select(EvaluationTable).where(EvaluationTable.model_id == model_id).order_by(EvaluationTable.id)
    ).all()
