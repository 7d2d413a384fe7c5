"""Running the stages of a training: each from its last checkpoint, with new checkpoints as epochs end.

What a stage fits is decided in `fits`; here it is only kept going.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import structlog

from core.errors import DamagedModelError
from core.training import DEFAULT_NUM_EPOCHS, EpochMetrics, TrainOptions
from core.types import ClassWeights, TrainMode
from db.samples import Sample
from workers.holding import HeldLease
from workers.ml.fitting import Examples, FitOptions, Fitting
from workers.ml.learner import Learner
from workers.ml.trainable import DEFAULT_LEARNING_RATES
from workers.training.checkpoints import Checkpoints

logger = structlog.get_logger(__name__)

BATCH_SIZE = 32
# Writing a checkpoint takes 10 ms, an epoch of a head less than 1, so several epochs may share one.
CHECKPOINT_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage came to; its learner holds the best epoch."""

    num_epochs: int  # that all stages have run so far
    best_epoch: int  # numbered over all stages; the last of the stage before if nothing here was better
    stopped_because: str | None  # a sentence, if something other than its options ended it


class StageRunner:
    """Runs the stages of one training.

    Args:
        options: of the training.
        train: what is learned from.
        checkpoints: where they are kept.
        lease: renewed with every batch.
    """

    def __init__(
        self, options: TrainOptions, train: Sequence[Sample], checkpoints: Checkpoints, lease: HeldLease
    ) -> None:
        self._options = options
        self._class_weights = class_weights(options, train)
        self._checkpoints = checkpoints
        self._lease = lease
        self._saved = checkpoints.load()
        self._num_epochs_before = 0

    def has_passed(self, stage: TrainMode) -> bool:
        """Whether an interrupted training had gone on from this stage to the next."""
        return self._saved is not None and self._saved[0] is not stage

    def skip(self, stage: TrainMode) -> None:
        """Take the epochs of a stage that has been passed for done."""
        numbers = [metrics.number for metrics in self._checkpoints.epochs() if metrics.stage is stage]
        self._num_epochs_before = max(numbers, default=0)

    def run(self, stage: TrainMode, learner: Learner, train: Examples, val: Examples | None) -> StageResult:
        """Fit a learner from where the training stands.

        Raises:
            LeaseLostError: the training was taken away.
            TrainingError: the loss is no number from the first epoch on.
            DamagedModelError: another version of Labelyard wrote the checkpoint of a network.
        """
        fitting = Fitting(learner, fit_options(self._options, stage, self._class_weights))
        if self._saved is not None and self._saved[0] is stage:
            self._restore(stage, fitting, self._saved[1])
        before = self._num_epochs_before
        self._save_epochs(stage, fitting, fitting.run(train, val, on_batch=self._lease.progressed))
        self._num_epochs_before = before + fitting.num_epochs_done
        return StageResult(self._num_epochs_before, before + fitting.best_epoch, fitting.stopped_because)

    def _save_epochs(self, stage: TrainMode, fitting: Fitting, epochs: Iterable[tuple[EpochMetrics, ...]]) -> None:
        saved_at_s = time.monotonic()
        unsaved: list[EpochMetrics] = []
        state: Mapping[str, np.ndarray] = {}
        for epoch in epochs:
            # Now: behind the last epoch the best one is put back, from which nothing could go on as it would have.
            state = fitting.state
            unsaved += [replace(metrics, number=metrics.number + self._num_epochs_before) for metrics in epoch]
            if time.monotonic() - saved_at_s >= CHECKPOINT_INTERVAL_S:
                self._checkpoints.save(stage, state, unsaved)
                saved_at_s, unsaved = time.monotonic(), []
        if unsaved:
            self._checkpoints.save(stage, state, unsaved)

    def _restore(self, stage: TrainMode, fitting: Fitting, state: Mapping[str, np.ndarray]) -> None:
        try:
            fitting.restore(state)
        except DamagedModelError as error:
            if stage is not TrainMode.HEAD:
                raise
            # A head is fitted anew before anyone could do anything about it.
            logger.warning("checkpoint_ignored", stage=stage, problem=str(error))


def fit_options(options: TrainOptions, stage: TrainMode, weights: tuple[float, ...] | None) -> FitOptions:
    """How a stage of a training is fitted.

    Args:
        options: of the training.
        stage: one of those that its mode has.
        weights: what an image of each class weighs; `class_weights`.
    """
    # What a user says of epochs and rate is for the mode that he names. A head before fine-tuning is fitted as well as
    # one by itself would be, whatever fine-tuning is allowed to cost; it takes seconds.
    is_asked_for = stage is options.mode
    rate = options.learning_rate if is_asked_for else None
    num_epochs = options.num_epochs if is_asked_for else DEFAULT_NUM_EPOCHS
    return FitOptions(
        stage=stage,
        num_epochs=num_epochs,
        patience=options.patience,
        learning_rate=rate or DEFAULT_LEARNING_RATES[stage],
        seed=options.seed,
        class_weights=weights,
        batch_size=BATCH_SIZE,
    )


def class_weights(options: TrainOptions, train: Sequence[Sample]) -> tuple[float, ...] | None:
    """What an image of each class weighs in the loss, 1 on average over the images; None if they all weigh 1."""
    if options.class_weights is ClassWeights.NONE:
        return None
    counts = Counter(sample.class_index for sample in train)
    num_classes = len(options.classes)
    return tuple(len(train) / (num_classes * counts[index]) for index in range(num_classes))
