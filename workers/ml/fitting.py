"""Fitting, epoch by epoch, so that it can be stopped behind any of them and gone on with elsewhere.

The same seed and the same machine give the same numbers bit by bit, in one go or in several: the order of the images
follows from the seed and the epoch's number, and `state` is everything else. What learns, and where its inputs come
from, is not known here; nor is Keras.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.errors import DamagedModelError, TrainingError
from core.training import EpochMetrics
from core.types import Split, TrainMode
from workers.ml.figures import Figures
from workers.ml.learner import Learner

# Keys of the state.
_VARIABLE, _OPTIMIZER, _BEST, _COUNTERS = "variable", "optimizer", "best", "counters"


class Examples(Protocol):
    """Labelled inputs."""

    @property
    def class_indices(self) -> np.ndarray:
        """What each shows: (N,) int64."""

    def __len__(self) -> int:
        """How many there are."""

    def inputs(self, positions: np.ndarray, *, epoch: int) -> np.ndarray:
        """What the model takes for some of them; may be varied from epoch to epoch."""


@dataclass(frozen=True, eq=False, slots=True)
class ArrayExamples:
    """Labelled inputs that are in memory and never vary."""

    array: np.ndarray  # (N, ...)
    class_indices: np.ndarray  # (N,) int64

    def __len__(self) -> int:
        """How many there are."""
        return len(self.array)

    def inputs(self, positions: np.ndarray, *, epoch: int) -> np.ndarray:
        """Some of them."""
        del epoch
        rows: np.ndarray = self.array[positions]
        return rows


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How a model is fitted."""

    stage: TrainMode
    num_epochs: int
    patience: int  # epochs that are no better before it stops; 0: never
    learning_rate: float  # at the beginning; it falls to 0 along half a cosine
    seed: int
    class_weights: tuple[float, ...] | None  # what an image of each class weighs in the loss
    batch_size: int


class Fitting:
    """Fits one learner.

    Args:
        learner: what learns; in place, and holding its best epoch when `run` has ended.
        options: how.
    """

    def __init__(self, learner: Learner, options: FitOptions) -> None:
        self._learner = learner
        self._options = options
        self._best: list[np.ndarray] = []
        self._best_loss = np.inf
        self._accuracy_before = 0.0  # what it began with; nothing less accurate is taken for better
        self._lowest_loss = np.inf
        self._got_on_in_epoch = 0  # when that was
        self.best_epoch = 0  # 0: what it was at the beginning
        self.num_epochs_done = 0
        self.stopped_because: str | None = None  # a sentence, if it was not the options

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Everything that fitting goes on from, by keys that every process understands."""
        groups = {
            _VARIABLE: self._learner.variables,
            _OPTIMIZER: self._learner.optimizer_variables,
            _BEST: self._best,
        }
        state = {f"{name}/{number:05}": value for name, values in groups.items() for number, value in enumerate(values)}
        epochs = (self.num_epochs_done, self.best_epoch, self._got_on_in_epoch)
        state[_COUNTERS] = np.array([*epochs, self._best_loss, self._lowest_loss, self._accuracy_before], np.float64)
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of a learner of the same kind, with the same options.

        Raises:
            DamagedModelError: it is of another kind, perhaps of another version of Labelyard; nothing has changed.
        """
        variables, optimizer_variables = _group(state, _VARIABLE), _group(state, _OPTIMIZER)
        expected = self._learner.variables, self._learner.optimizer_variables
        if (received := _shapes(variables, optimizer_variables)) != _shapes(*expected):
            raise DamagedModelError(
                f"The checkpoint does not fit what is trained: expected variables of the shapes {_shapes(*expected)}, "
                f"received {received}. Another version of Labelyard wrote it. Cancel the job, and train again."
            )
        self._learner.assign(variables)
        self._learner.assign_optimizer(optimizer_variables)
        self._best = _group(state, _BEST)
        *epochs, self._best_loss, self._lowest_loss, self._accuracy_before = state[_COUNTERS].tolist()
        self.num_epochs_done, self.best_epoch, self._got_on_in_epoch = map(int, epochs)

    def run(
        self, train: Examples, val: Examples | None, *, on_batch: Callable[[], None]
    ) -> Iterator[tuple[EpochMetrics, ...]]:
        """Fit until the options or the numbers say that it is enough.

        The best epoch is the one of the lowest loss on the validation images. Fine-tuning takes none for better that is
        less accurate on them than what it began with, and keeps that if there is none.

        Figures of the training images are means over the epoch, taken before each batch was learned from and with
        dropout at work, and their loss is weighted as the options weigh the classes. Those of the validation images are
        of the model behind the epoch, and unweighted.

        Args:
            train: what is learned from.
            val: what the best epoch is chosen by; with none, or none in it, the training images are.
            on_batch: called after every batch; what it raises ends the fitting.

        Yields:
            How each epoch went, on the training images and, if there are any, on the validation images.

        Raises:
            TrainingError: the numbers exploded before there was anything good to keep.
        """
        val = val if val is not None and len(val) else None
        if self._options.stage is TrainMode.FINETUNE and not self.num_epochs_done and val is not None:
            self._remember_beginning(self._evaluate(val, on_batch))
        while self.num_epochs_done < self._options.num_epochs and not self._is_patience_out:
            started_at_s = time.monotonic()
            epoch = self.num_epochs_done + 1
            measured = {Split.TRAIN: self._train_epoch(train, epoch, on_batch)}
            if val is not None:
                measured[Split.VAL] = self._evaluate(val, on_batch)
            if not (all(figures.is_finite for figures in measured.values()) and self._learner.is_finite):
                self._diverged(epoch)
                break
            self.num_epochs_done = epoch
            self._remember(measured[Split.TRAIN if val is None else Split.VAL])
            yield self._metrics(epoch, measured, duration_s=round(time.monotonic() - started_at_s, 4))
        self._learner.assign(self._best)

    def _metrics(self, epoch: int, measured: Mapping[Split, Figures], *, duration_s: float) -> tuple[EpochMetrics, ...]:
        stage, rate = self._options.stage, self._rate(epoch, 1.0)
        return tuple(
            EpochMetrics(epoch, stage, split, figures.loss, figures.accuracy, rate, duration_s)
            for split, figures in measured.items()
        )

    @property
    def _is_patience_out(self) -> bool:
        return 0 < self._options.patience <= self.num_epochs_done - self._got_on_in_epoch

    def _train_epoch(self, examples: Examples, epoch: int, on_batch: Callable[[], None]) -> Figures:
        order = np.random.default_rng([self._options.seed, epoch]).permutation(len(examples))
        weights = np.array(self._options.class_weights or [1.0] * (int(examples.class_indices.max()) + 1), np.float32)
        figures = Figures()
        for first in range(0, len(order), self._options.batch_size):
            positions = order[first : first + self._options.batch_size]
            true = examples.class_indices[positions]
            inputs = examples.inputs(positions, epoch=epoch)
            rate = self._rate(epoch, first / len(order))
            figures += self._learner.learn(inputs, true, weights[true], rate=rate)
            on_batch()
            if not figures.is_finite:
                break
        return figures

    def _evaluate(self, examples: Examples, on_batch: Callable[[], None]) -> Figures:
        figures = Figures()
        for first in range(0, len(examples), self._options.batch_size):
            positions = np.arange(first, min(first + self._options.batch_size, len(examples)))
            inputs, true = examples.inputs(positions, epoch=0), examples.class_indices[positions]
            figures += self._learner.judge(inputs, true)
            on_batch()
        return figures

    def _rate(self, epoch: int, share: float) -> float:
        """The learning rate after a share of an epoch; never quite 0, so that the last batch counts too."""
        done = (epoch - 1 + share) / (self._options.num_epochs + 1)
        return float(self._options.learning_rate * 0.5 * (1 + np.cos(np.pi * done)))

    def _remember_beginning(self, figures: Figures) -> None:
        """Have fine-tuning get better than the good head that it begins with."""
        if figures.is_finite:
            self._accuracy_before = figures.accuracy
            self._remember(figures)

    def _remember(self, figures: Figures) -> None:
        loss, accuracy = figures.loss, figures.accuracy
        if loss < self._lowest_loss:
            self._lowest_loss, self._got_on_in_epoch = loss, self.num_epochs_done
        # The first is kept whatever it is; among equals, the earlier.
        if (loss < self._best_loss and accuracy >= self._accuracy_before) or not self._best:
            self._best_loss, self.best_epoch = loss, self.num_epochs_done
            self._best = self._learner.variables

    def _diverged(self, epoch: int) -> None:
        rate = self._options.learning_rate
        sentence = (
            f"Loss or weights were no numbers any more in epoch {epoch} at learning rate {rate:g}. "
            f"Try --learning-rate {rate / 10:g}."
        )
        if not self._best:
            raise TrainingError(sentence)
        kept = f"What was best before that, epoch {self.best_epoch}," if self.best_epoch else "What it began with"
        self.stopped_because = f"{sentence} {kept} was kept."


def _group(state: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [state[key] for key in sorted(state) if key.startswith(f"{name}/")]


def _shapes(*groups: list[np.ndarray]) -> list[list[tuple[int, ...]]]:
    return [[value.shape for value in values] for values in groups]
