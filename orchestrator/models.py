"""What there is to say about trained models, as frozen values: the CLI prints them, `--json` dumps them."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.training import TrainingRecord
from core.types import JobState, Split
from db.ledger.control import get_job
from db.model_tables import EvaluationTable, ModelTable
from db.models import list_models
from db.promotions import champions
from db.results import class_labels
from db.trainings import evaluations_of


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """How good a model is on some images."""

    dataset: str
    split: str | None  # of the model's own dataset
    num_images: int
    accuracy: float
    macro_f1: float
    ece: float  # expected calibration error
    created_at: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A trained model, or one on its way."""

    model: str  # as a user types it
    backbone: str
    mode: str
    state: str  # champion, ready, or what its job says
    resize: str
    classes: list[str]
    job_id: int | None
    parent: str | None  # the champion when it was trained
    created_at: float  # seconds since 1970
    fingerprint: str | None  # of the images and labels that it learned from
    temperature: float | None
    evaluations: list[EvaluationSummary]
    training: dict[str, Any] | None  # core.training.TrainingRecord

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)

    @property
    def record(self) -> TrainingRecord | None:
        """How it came to be, if it was trained."""
        return None if self.training is None else TrainingRecord.from_json(self.training)

    def evaluation(self, split: Split) -> EvaluationSummary | None:
        """How good it is on a part of its own dataset."""
        return next((found for found in self.evaluations if found.split == split), None)

    @property
    def held_out(self) -> EvaluationSummary | None:
        """How good it is on images that it was not fitted to: its test part, else its validation part."""
        return self.evaluation(Split.TEST) or self.evaluation(Split.VAL)


def summarise_models(session: Session) -> list[ModelSummary]:
    """All models that were trained or imported here."""
    return [summarise_model(session, model) for model in list_models(session)]


def summarise_model(session: Session, model: ModelTable) -> ModelSummary:
    """Look at one model."""
    parent = None if model.parent_id is None else session.get(ModelTable, model.parent_id)
    labels = class_labels(session, model.id)
    return ModelSummary(
        model=model.label,
        backbone=model.backbone,
        mode=str(model.mode),
        state=_state(session, model),
        resize=str(model.resize),
        classes=[label.label for _, label in sorted(labels.items())],
        job_id=model.job_id,
        parent=None if parent is None else parent.label,
        created_at=model.created_at,
        fingerprint=model.fingerprint,
        temperature=model.temperature,
        evaluations=[_evaluation(row) for row in evaluations_of(session, model.id)],
        training=model.training,
    )


def _state(session: Session, model: ModelTable) -> str:
    if model.ready_at is not None:
        return "champion" if champions(session).get(model.name) == model.id else "ready"
    if model.job_id is None:
        return "unfinished"
    job_state = get_job(session, model.job_id).state
    return "training" if job_state is JobState.RUNNING else str(job_state)


def _evaluation(row: EvaluationTable) -> EvaluationSummary:
    return EvaluationSummary(
        dataset=row.dataset,
        split=None if row.split is None else str(row.split),
        num_images=row.num_images,
        accuracy=row.accuracy,
        macro_f1=row.metrics["macro"]["f1"],
        ece=row.metrics["ece"],
        created_at=row.created_at,
    )
