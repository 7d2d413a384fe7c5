"""What fitting needs of whatever learns, be it a network or a matrix; what that is made of is not known here."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from workers.ml.figures import Figures


class Learner(Protocol):
    """Something that gets better at telling classes apart, batch by batch, by gradients and an optimizer of its own.

    What it has learned is its variables; what its optimizer remembers of the way there is another list of variables.
    With both assigned to a new one of the same kind, that goes on bit by bit as the old one would have.
    """

    def learn(self, inputs: np.ndarray, class_indices: np.ndarray, weights: np.ndarray, *, rate: float) -> Figures:
        """Take one step.

        Args:
            inputs: (N, ...), what it takes.
            class_indices: what each shows, (N,) int64.
            weights: what each counts in the loss, (N,) float32; the loss is the sum of the weighted ones over N.
            rate: how far to go.

        Returns:
            Figures of the batch from before the step: the weighted loss, and the accuracy, in which all count the same.
        """

    def judge(self, inputs: np.ndarray, class_indices: np.ndarray) -> Figures:
        """Say how good it is on a batch, without learning from it; all images weigh the same."""

    @property
    def variables(self) -> list[np.ndarray]:
        """Copies of everything that learning changes."""

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Become what `variables` was."""

    @property
    def optimizer_variables(self) -> list[np.ndarray]:
        """Copies of everything that the optimizer goes on from."""

    def assign_optimizer(self, values: Sequence[np.ndarray]) -> None:
        """Have the optimizer become what `optimizer_variables` was."""

    @property
    def is_finite(self) -> bool:
        """Whether all variables are numbers. A loss does not say: the step after it may have ruined them."""
