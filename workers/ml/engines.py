"""Engines: the software that runs a backbone over batches of images.

An engine takes pixels and gives features; what comes before (decoding, resizing) and after (heads) is not its business.
This engine is Keras alone, no TensorFlow by name, so that any Keras backend runs it.

Measured with MobileNet-0.75, batches of 32, on two busy AVX2 cores and the TensorFlow backend, medians in images/s:
calling the model 25, `predict` 46, `predict_on_batch` 60, the same with the pixels' scaling inside the network 64, XLA
10. Keras leaves XLA off where it finds no accelerator.
"""

from typing import Protocol, assert_never

import numpy as np

from core.settings import EngineName
from workers.ml.backbones import Backbone, preprocessing


class Engine(Protocol):
    """Runs one backbone."""

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes at most; on an accelerator, fewer cost as much."""

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute feature vectors.

        Args:
            images: (N, H, W, 3) uint8 RGB of the backbone's input size; N may be anything.

        Returns:
            (N, F) float32, in the images' order.
        """


class KerasEngine:
    """Runs a backbone on whatever backend Keras was set up with.

    Args:
        backbone: the network.
        batch_size: images per forward pass.
    """

    def __init__(self, backbone: Backbone, *, batch_size: int) -> None:
        import keras  # noqa: PLC0415 - TensorFlow comes with it

        self._spec = backbone.spec
        self._num_bytes = backbone.num_bytes
        self._batch_size = batch_size
        # With the scaling inside the network, a batch crosses to the accelerator as bytes and not as floats.
        pixels = keras.Input((*backbone.spec.size_hw, 3), dtype="uint8")
        scaled = preprocessing(backbone.spec)(keras.ops.cast(pixels, "float32"))
        self._model = keras.Model(pixels, backbone.network(scaled))
        self._has_one_shape = compiles_each_shape()

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes at most."""
        return self._batch_size

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

    def warm_up(self) -> None:
        """Compile now what the first batch would have to wait for."""
        self.features(np.zeros((1, *self._spec.size_hw, 3), np.uint8))

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute feature vectors.

        Args:
            images: (N, H, W, 3) uint8 RGB of the backbone's input size; N may be anything.

        Returns:
            (N, F) float32, in the images' order.

        Raises:
            ValueError: the images are not of that shape or type.
        """
        expected = (*self._spec.size_hw, 3)
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise ValueError(
                f"Images for {self._spec.name}: expected (N, {', '.join(map(str, expected))}) uint8, "
                f"received {images.shape} {images.dtype}."
            )
        features = np.empty((len(images), self._spec.feature_size), np.float32)
        for first in range(0, len(images), self._batch_size):
            batch = images[first : first + self._batch_size]
            features[first : first + len(batch)] = self._model.predict_on_batch(self._pad(batch))[: len(batch)]
        return features

    def _pad(self, batch: np.ndarray) -> np.ndarray:
        """Fill a batch up with black images where one shape means one compiled function; elsewhere they only cost."""
        if len(batch) == self._batch_size or not self._has_one_shape:
            return batch
        padded = np.zeros((self._batch_size, *batch.shape[1:]), batch.dtype)
        padded[: len(batch)] = batch
        return padded


def compiles_each_shape() -> bool:
    """Whether Keras compiles a function anew for every shape: on accelerators, and with JAX everywhere."""
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    on_cpu_alone = all(device.lower().startswith("cpu") for device in keras.distribution.list_devices())
    return keras.backend.backend() == "jax" or not on_cpu_alone


def build_engine(backbone: Backbone, name: EngineName, *, batch_size: int) -> Engine:
    """Make the engine that the settings ask for, warmed up.

    Args:
        backbone: the network.
        name: which engine.
        batch_size: images per forward pass.
    """
    match name:
        # Keras is the only engine so far, so there is nothing to choose from.
        case EngineName.AUTO | EngineName.KERAS:
            engine = KerasEngine(backbone, batch_size=batch_size)
            engine.warm_up()
            return engine
        case _:
            assert_never(name)
