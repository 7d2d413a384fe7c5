"""A small search for how a head is best trained: rate, then epochs, then augmentation, by the validation images alone.

Fitting a head on features that are there takes a fraction of a second, so a handful of them costs little. The same seed
tries the same and finds the same, so that a search which was broken off is simply made again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from core.errors import TrainingError
from core.training import TrainOptions
from core.types import Augment, Split, TrainMode
from workers.ml.fitting import Fitting
from workers.ml.linear_learner import LinearLearner
from workers.ml.trainable import DEFAULT_LEARNING_RATES
from workers.training.contents import Contents
from workers.training.division import Division
from workers.training.fits import head_examples
from workers.training.stages import class_weights, fit_options
from workers.training.tools import Tools

logger = structlog.get_logger(__name__)

# Times the rate and the number of epochs that it begins with.
RATE_FACTORS = (0.3, 3.0)
EPOCH_FACTOR = 3
# A name that is tuned every night must not take longer every night.
MAX_NUM_EPOCHS = 300
# Both ways: a name that is tuned every night begins with what was chosen the night before.
AUGMENTS = (Augment.NONE, Augment.LIGHT)


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting and what came of it."""

    learning_rate: float
    num_epochs: int
    augment: Augment
    val_loss: float  # of its best epoch, in nats

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search came to."""

    options: TrainOptions  # with the best setting
    trials: tuple[Mapping[str, Any], ...]  # in the order in which they were tried


def tune(tools: Tools, contents: Contents, division: Division) -> Tuned:
    """Try settings around those that were asked for, one after the other, and keep what is better.

    Raises:
        LeaseLostError: the training was taken away.
        TrainingError: the loss is no number from the first epoch on.
    """
    options = tools.work.options
    rate = options.learning_rate or DEFAULT_LEARNING_RATES[TrainMode.HEAD]
    best = _try(tools, contents, division, replace(options, learning_rate=rate))
    trials = [best]
    more_epochs = min(options.num_epochs * EPOCH_FACTOR, max(options.num_epochs, MAX_NUM_EPOCHS))
    steps: list[list[dict[str, Any]]] = [
        [{"learning_rate": rate * factor} for factor in RATE_FACTORS],
        [{"num_epochs": more_epochs}] if more_epochs > options.num_epochs else [],
        [{"augment": augment} for augment in AUGMENTS if augment is not options.augment],
    ]
    for step in steps:
        begun_with = _applied(options, best)
        for change in step:
            try:
                trials.append(_try(tools, contents, division, replace(begun_with, **change)))
            except TrainingError as error:
                # Numbers that explode, or copies of images whose files are gone: this setting will not do.
                logger.info("setting_passed_over", change=change, problem=str(error))
        # Of equals the one that was tried first, which is nearer to what was asked for.
        best = min(trials, key=lambda trial: trial.val_loss)
    return Tuned(_applied(options, best), tuple(trial.to_json() for trial in trials))


def _applied(options: TrainOptions, trial: Trial) -> TrainOptions:
    return replace(options, learning_rate=trial.learning_rate, num_epochs=trial.num_epochs, augment=trial.augment)


def _try(tools: Tools, contents: Contents, division: Division, options: TrainOptions) -> Trial:
    tools = replace(tools, work=replace(tools.work, options=options))
    train, val = (head_examples(tools, contents, division, split) for split in (Split.TRAIN, Split.VAL))
    weights = class_weights(options, division.samples[Split.TRAIN])
    fitting = Fitting(LinearLearner(train.array, len(options.classes)), fit_options(options, TrainMode.HEAD, weights))
    losses = [
        metrics.loss
        for epoch in fitting.run(train, val, on_batch=tools.lease.progressed)
        for metrics in epoch
        if metrics.split is Split.VAL
    ]
    return Trial(options.learning_rate or 0.0, options.num_epochs, options.augment, min(losses))
