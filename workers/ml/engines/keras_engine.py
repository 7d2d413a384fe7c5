"""The engine for accelerators, and for what OpenVINO cannot run: Keras alone, no TensorFlow by name.

Measured with MobileNet-0.75, batches of 32, on two busy AVX2 cores and the TensorFlow backend, medians in images/s:
calling the model 25, `predict` 46, `predict_on_batch` 60, the same with the pixels' scaling inside the network 64, XLA
10. Keras leaves XLA off where it finds no accelerator.
"""

import numpy as np

from workers.ml.backbones import Backbone, pixels_to_features
from workers.ml.engines.interface import check_images


class KerasEngine:
    """Runs a backbone on whatever backend Keras was set up with.

    Args:
        backbone: the network.
        batch_size: images per forward pass.
    """

    def __init__(self, backbone: Backbone, *, batch_size: int) -> None:
        self._spec = backbone.spec
        self._num_bytes = backbone.num_bytes
        self._batch_size = batch_size
        self._model = pixels_to_features(backbone)
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
        check_images(images, self._spec)
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

    return keras.backend.backend() == "jax" or has_accelerator()


def has_accelerator() -> bool:
    """Whether Keras finds anything but processors to compute on."""
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    return not all(device.lower().startswith("cpu") for device in keras.distribution.list_devices())
