"""Adam in numpy, step by step as Keras takes it."""

from collections.abc import Sequence

import numpy as np

# Source: the defaults of keras.optimizers.Adam.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


class Adam:
    """An optimizer of one array.

    Args:
        like: an array of the shape and dtype of what is optimized.
    """

    def __init__(self, like: np.ndarray) -> None:
        self._num_steps = 0
        self._momentum = np.zeros_like(like)
        self._velocity = np.zeros_like(like)
        # New arrays in every step would cost more than the arithmetic.
        self._change = np.empty_like(like)
        self._scratch = np.empty_like(like)

    def step(self, parameters: np.ndarray, gradient: np.ndarray, *, rate: float) -> None:
        """Change parameters in place. Source: `update_step` of keras.optimizers.Adam, in the same order.

        Args:
            parameters: of the shape and dtype of `like`.
            gradient: the same.
            rate: how far to go.
        """
        self._num_steps += 1
        change, scratch = self._change, self._scratch
        np.subtract(gradient, self._momentum, out=change)
        change *= 1 - BETA_1
        self._momentum += change
        np.square(gradient, out=change)
        change -= self._velocity
        change *= 1 - BETA_2
        self._velocity += change
        alpha = rate * (1 - BETA_2**self._num_steps) ** 0.5 / (1 - BETA_1**self._num_steps)
        np.multiply(self._momentum, alpha, out=change)
        np.sqrt(self._velocity, out=scratch)
        scratch += EPSILON
        change /= scratch
        parameters -= change

    @property
    def variables(self) -> list[np.ndarray]:
        """Copies of the number of steps, () int64, and of the moments."""
        return [np.array(self._num_steps, np.int64), self._momentum.copy(), self._velocity.copy()]

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Become what `variables` was."""
        num_steps, self._momentum[...], self._velocity[...] = values
        self._num_steps = int(num_steps)
