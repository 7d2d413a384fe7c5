"""The engine for accelerators, and for what OpenVINO cannot run: Keras alone, no TensorFlow by name.

Measured with MobileNet-0.75, batches of 32, on two busy AVX2 cores and the TensorFlow backend, medians in images/s:
calling the model 25, `predict` 46, `predict_on_batch` 60, the same with the pixels' scaling inside the network 64, XLA
10. Keras leaves XLA off where it finds no accelerator.
"""

import numpy as np

from workers.ml.backbones import Backbone, pixels_to_features
from workers.ml.engines.batching import BatchedEngine
from workers.ml.engines.machine import card_names, processor_name


class KerasEngine(BatchedEngine):
    """Runs a backbone on whatever backend Keras was set up with.

    Args:
        backbone: the network.
        batch_size: images per forward pass.
    """

    def __init__(self, backbone: Backbone, *, batch_size: int) -> None:
        super().__init__(backbone.spec, batch_size=batch_size)
        self._num_bytes = backbone.num_bytes
        self._model = pixels_to_features(backbone)
        self._is_accelerated = has_accelerator()
        self._has_one_shape = compiles_each_shape()

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

    @property
    def setup(self) -> str:
        """What the fastest batch size depends on besides the network."""
        import keras  # noqa: PLC0415 - TensorFlow comes with it

        devices = card_names() or keras.distribution.list_devices() if self._is_accelerated else [processor_name()]
        return f"keras {keras.__version__} {keras.backend.backend()} float32 on {', '.join(devices)}"

    @property
    def is_accelerated(self) -> bool:
        """Whether anything but a processor computes."""
        return self._is_accelerated

    @property
    def has_one_shape(self) -> bool:
        """Whether every batch is filled up to the batch size, because each shape would be compiled anew."""
        return self._has_one_shape

    def warm_up(self) -> None:
        """Compile now what the first batch would have to wait for."""
        self.features(np.zeros((1, *self._spec.size_hw, 3), np.uint8))

    def _infer(self, batch: np.ndarray) -> np.ndarray:
        features: np.ndarray = self._model.predict_on_batch(self._pad(batch))[: len(batch)]
        return features

    def _pad(self, batch: np.ndarray) -> np.ndarray:
        """Fill a batch up with black images where one shape means one compiled function; elsewhere they only cost."""
        if len(batch) >= self.batch_size or not self._has_one_shape:
            return batch
        padded = np.zeros((self.batch_size, *batch.shape[1:]), batch.dtype)
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
