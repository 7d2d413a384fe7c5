"""Trainings and evaluations: ask for models of one's own, and for how good a model is."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import Field

from core.jobs import Idempotency
from core.training import (
    DEFAULT_BACKBONE,
    DEFAULT_MAX_BAD_SHARE,
    DEFAULT_NUM_EPOCHS,
    DEFAULT_PATIENCE,
    DEFAULT_VAL_SHARE,
    TrainOptions,
)
from core.types import Augment, ClassWeights, PriorityName, ResizeMode, TrainMode
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Submitter
from orchestrator.api.fields import Body, Name, Number, Share, Source
from orchestrator.api.submitting import Key, submit_once
from orchestrator.evaluating import EvaluateRequest, submit_evaluation
from orchestrator.summary import JobSummary
from orchestrator.training import DatasetRequest, TrainRequest, submit_training

router = APIRouter(tags=["training"])


class DatasetBody(Body):
    """Labelled images, as `labelyard train` takes them."""

    dataset: Source
    classes: list[Name] | None = Field(default=None, min_length=1, max_length=100_000)
    image_column: Name | None = None
    label_column: Name | None = None
    allow_http: bool = False

    def to_dataset(self, *, val: str | None = None, test: str | None = None) -> DatasetRequest:
        """What the command line would have made of it."""
        return DatasetRequest(
            self.dataset,
            val=val,
            test=test,
            classes=None if self.classes is None else tuple(self.classes),
            image_column=self.image_column,
            label_column=self.label_column,
            allow_http=self.allow_http,
        )


class NewTraining(DatasetBody):
    """What is to be learned, from what, how."""

    name: Name
    backbone: Name = DEFAULT_BACKBONE
    mode: TrainMode = TrainMode.HEAD
    unfreeze: Name | None = None
    epochs: int = Field(default=DEFAULT_NUM_EPOCHS, ge=1, le=100_000)
    val: Source | None = None
    val_split: Number = Field(default=DEFAULT_VAL_SHARE, ge=0.01, le=0.9)
    test: Source | None = None
    augment: Augment = Augment.NONE
    class_weights: ClassWeights = ClassWeights.AUTO
    early_stop: int | None = Field(default=None, ge=0, le=100_000)
    learning_rate: Number | None = Field(default=None, gt=0)
    tune: bool = False
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    resize: ResizeMode = ResizeMode.CROP
    max_bad: Share = DEFAULT_MAX_BAD_SHARE
    priority: PriorityName = PriorityName.BULK

    def to_request(self, idempotency: Idempotency | None) -> TrainRequest:
        """What the command line would have made of it."""
        return TrainRequest(
            dataset=self.to_dataset(val=self.val, test=self.test),
            name=self.name,
            options=TrainOptions(
                backbone=self.backbone,
                classes=(),
                mode=self.mode,
                unfreeze=self.unfreeze,
                num_epochs=self.epochs,
                val_share=self.val_split,
                augment=self.augment,
                class_weights=self.class_weights,
                patience=DEFAULT_PATIENCE[self.mode] if self.early_stop is None else self.early_stop,
                learning_rate=self.learning_rate,
                seed=self.seed,
                tunes=self.tune,
                resize=self.resize,
                max_bad_share=self.max_bad,
            ),
            priority=self.priority.priority,
            idempotency=idempotency,
        )


class NewEvaluation(DatasetBody):
    """Which model is to be measured, on what."""

    model: Name
    resize: ResizeMode | None = None
    priority: PriorityName = PriorityName.BULK

    def to_request(self, idempotency: Idempotency | None) -> EvaluateRequest:
        """What the command line would have made of it."""
        return EvaluateRequest(
            model=self.model,
            dataset=self.to_dataset(),
            resize=self.resize,
            priority=self.priority.priority,
            idempotency=idempotency,
        )


@router.post("/trainings", status_code=HTTPStatus.ACCEPTED)
def train(backend: BackendDependency, _: Submitter, key: Key, body: NewTraining) -> JobSummary:
    """Train a classifier; it becomes the next version of its name."""
    return submit_once(
        backend,
        key,
        lambda found: submit_training(backend.database, backend.settings, body.to_request(found)),
    )


@router.post("/evaluations", status_code=HTTPStatus.ACCEPTED)
def evaluate(backend: BackendDependency, _: Submitter, key: Key, body: NewEvaluation) -> JobSummary:
    """Measure a model on labelled images; the model's own page has the figures when the job is done."""
    return submit_once(
        backend,
        key,
        lambda found: submit_evaluation(backend.database, backend.settings, body.to_request(found)),
    )
