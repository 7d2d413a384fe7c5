"""A head by itself as a learner: softmax regression on features, in numpy, without waiting for Keras.

It comes to the numbers that Keras would: a test holds the two against each other.
"""

from collections.abc import Sequence

import numpy as np

from core.labels import ClassLabel
from workers.ml.adam import Adam
from workers.ml.figures import Figures
from workers.ml.heads import Head


class LinearLearner:
    """A matrix and a bias that learn; `workers.ml.learner.Learner`.

    They begin at zero, where they know nothing: the problem is convex, so the seed decides the order of the images
    alone. All numbers are float32, as those of features and heads are. Features are not copied to be scaled: logits
    are scaled instead.

    Args:
        features: (N, F) float32, what it will be fitted to; their spread is scaled to 1, by one factor for all.
        num_classes: C.
    """

    def __init__(self, features: np.ndarray, num_classes: int) -> None:
        spread = float(features.std())
        self._scale = np.float32(1 / spread if spread > 0 else 1.0)
        # Of scaled features; the last row is the bias. One array, so that Adam's arithmetic is done once.
        self._parameters = np.zeros((features.shape[1] + 1, num_classes), np.float32)
        self._gradient = np.empty_like(self._parameters)
        self._adam = Adam(self._parameters)

    def learn(self, inputs: np.ndarray, class_indices: np.ndarray, weights: np.ndarray, *, rate: float) -> Figures:
        """Take one step from a batch of (N, F) float32 features."""
        # Numbers that explode are for the caller to notice.
        with np.errstate(all="ignore"):
            logits = self._logits(inputs)
            losses, errors = _cross_entropy(logits, class_indices)
            errors[np.arange(len(inputs)), class_indices] -= 1
            errors *= (weights / len(inputs))[:, np.newaxis]
            np.matmul(inputs.T, errors * self._scale, out=self._gradient[:-1])
            self._gradient[-1] = errors.sum(axis=0)
            self._adam.step(self._parameters, self._gradient, rate=rate)
            return _figures(losses * weights, logits, class_indices)

    def judge(self, inputs: np.ndarray, class_indices: np.ndarray) -> Figures:
        """Say how good it is on a batch of (N, F) float32 features."""
        with np.errstate(all="ignore"):
            logits = self._logits(inputs)
            losses, _ = _cross_entropy(logits, class_indices)
            return _figures(losses, logits, class_indices)

    @property
    def variables(self) -> list[np.ndarray]:
        """A copy of matrix and bias, (F + 1, C) float32."""
        return [self._parameters.copy()]

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Become what `variables` was."""
        (self._parameters[...],) = values

    @property
    def optimizer_variables(self) -> list[np.ndarray]:
        """Copies of Adam's counter and moments."""
        return self._adam.variables

    def assign_optimizer(self, values: Sequence[np.ndarray]) -> None:
        """Have the optimizer become what `optimizer_variables` was."""
        self._adam.assign(values)

    @property
    def is_finite(self) -> bool:
        """Whether matrix and bias are numbers."""
        return bool(np.isfinite(self._parameters).all())

    def head(self, labels: tuple[ClassLabel, ...]) -> Head:
        """What has been learned, as a head on unscaled features."""
        return Head(self._parameters[:-1] * self._scale, self._parameters[-1].copy(), labels)

    def _logits(self, features: np.ndarray) -> np.ndarray:
        scores: np.ndarray = features @ self._parameters[:-1] * self._scale + self._parameters[-1]
        return scores


def _cross_entropy(logits: np.ndarray, class_indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each row, (N,) float32 in nats, and the softmax, (N, C) float32."""
    # The largest exponent is then 0, so that no row overflows.
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1)
    losses = np.log(sums) - shifted[np.arange(len(logits)), class_indices]
    return losses, exponentials / sums[:, np.newaxis]


def _figures(losses: np.ndarray, logits: np.ndarray, class_indices: np.ndarray) -> Figures:
    return Figures(len(losses), float(losses.mean()), float((logits.argmax(axis=1) == class_indices).mean()))
