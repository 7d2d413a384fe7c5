"""Whole networks as learners, by Keras, whose import takes seconds; a head by itself is a `linear_learner`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workers.ml.figures import Figures
from workers.ml.trainable import frozen_variables

if TYPE_CHECKING:
    import keras


class KerasLearner:
    """A Keras model that learns; `workers.ml.learner.Learner`.

    Args:
        model: inputs -> (N, C) logits; trained in place.
    """

    def __init__(self, model: "keras.Model") -> None:
        import keras  # noqa: PLC0415 - TensorFlow comes with it

        self._model = model
        self._optimizer = keras.optimizers.Adam()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self._optimizer, loss, metrics=["accuracy"])
        self._optimizer.build(model.trainable_variables)
        frozen = {id(variable) for variable in frozen_variables(model)}
        # Weights, statistics of batch normalisation, seeds of dropout.
        self._variables = [variable for variable in model.variables if id(variable) not in frozen]

    def learn(self, inputs: np.ndarray, class_indices: np.ndarray, weights: np.ndarray, *, rate: float) -> Figures:
        """Take one step, with dropout at work."""
        self._optimizer.learning_rate = rate
        return _figures(self._model.train_on_batch(inputs, class_indices, weights, return_dict=True), len(inputs))

    def judge(self, inputs: np.ndarray, class_indices: np.ndarray) -> Figures:
        """Say how good it is on a batch."""
        return _figures(self._model.test_on_batch(inputs, class_indices, return_dict=True), len(inputs))

    @property
    def variables(self) -> list[np.ndarray]:
        """Copies of all variables of the layers that are trained."""
        return _copies(self._variables)

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Become what `variables` was."""
        _assign(self._variables, values)

    @property
    def optimizer_variables(self) -> list[np.ndarray]:
        """Copies of Adam's counter, rate and moments."""
        return _copies(self._optimizer.variables)

    def assign_optimizer(self, values: Sequence[np.ndarray]) -> None:
        """Have the optimizer become what `optimizer_variables` was."""
        _assign(self._optimizer.variables, values)

    @property
    def is_finite(self) -> bool:
        """Whether all variables are numbers. Some implementations of ReLU hide from the loss those that are none."""
        return all(np.isfinite(variable.numpy()).all() for variable in self._variables)


def _figures(logs: Mapping[str, float], num_images: int) -> Figures:
    return Figures(num_images, float(logs["loss"]), float(logs["accuracy"]))


def _copies(variables: "Sequence[keras.Variable]") -> list[np.ndarray]:
    # On a CPU they may be views of memory that training goes on changing.
    return [np.array(variable.numpy()) for variable in variables]


def _assign(variables: "Sequence[keras.Variable]", values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
