"""How a number changes with a network's input: what Keras leaves to its backends, for each of those that can tell."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from core.errors import EngineError

if TYPE_CHECKING:
    import keras


def input_gradient(network: "keras.Model", inputs: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The gradient of a weighted sum of a network's outputs by its inputs.

    Args:
        network: any functional model.
        inputs: one batch, float32.
        direction: (F,) float32, what each output counts.

    Returns:
        As `inputs`: by how much the sum grows with each of them.

    Raises:
        EngineError: Keras runs on a backend that computes no gradients.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    backend = keras.backend.backend()
    if backend not in _WAYS:
        raise EngineError(
            f"Keras on {backend!r} computes no gradients here. Expected KERAS_BACKEND to be one of: {', '.join(_WAYS)}."
        )
    return _WAYS[backend](network, inputs, direction)


def _with_tensorflow(network: "keras.Model", inputs: np.ndarray, direction: np.ndarray) -> np.ndarray:
    import tensorflow as tf  # noqa: PLC0415 - only where Keras runs on it

    values = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = tf.reduce_sum(network(values, training=False) * direction)
    gradient: np.ndarray = tape.gradient(total, values).numpy()
    return gradient


def _with_jax(network: "keras.Model", inputs: np.ndarray, direction: np.ndarray) -> np.ndarray:
    import jax  # noqa: PLC0415 - only where Keras runs on it

    gradient = jax.grad(lambda values: (network(values, training=False) * direction).sum())(inputs)
    return np.asarray(gradient)


_WAYS: dict[str, Callable[["keras.Model", np.ndarray, np.ndarray], np.ndarray]] = {
    "tensorflow": _with_tensorflow,
    "jax": _with_jax,
}
BACKENDS = frozenset(_WAYS)
