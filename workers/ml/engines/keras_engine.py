"""The engine for accelerators, and for what OpenVINO cannot run: Keras on any of its backends.

Measured with MobileNet-0.75, batches of 32, on two busy AVX2 cores and the TensorFlow backend, medians in images/s:
calling the model 25, `predict` 46, `predict_on_batch` 60, the same with the pixels' scaling inside the network 64, XLA
10. Keras leaves XLA off where it finds no accelerator.
"""

import os
from typing import TYPE_CHECKING

import numpy as np

from workers.ml.backbones import Backbone, flatten_layers, pixels_to_features
from workers.ml.engines.batching import BatchedEngine, warn
from workers.ml.engines.interface import Precision
from workers.ml.engines.machine import card_names, processor_name

if TYPE_CHECKING:
    import keras

# TensorFlow and JAX take all memory of a GPU unless told to take it as they need it, leaving none to other workers.
# They look here when they first use the GPU.
# Sources: TensorFlow's guide "Use a GPU", JAX' page "GPU memory allocation".
_GROWING_MEMORY = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
# The first and last steps, whose sums and scales want every digit and cost next to nothing.
_FULL_PRECISION_LAYERS = ("InputLayer", "Rescaling", "Normalization", "GlobalAveragePooling2D")


class KerasEngine(BatchedEngine):
    """Runs a backbone on whatever backend Keras was set up with.

    In half precision, features that are infinite or nothing but zeros are taken for numbers that half precision cannot
    hold: they are computed again in full precision, and so is everything after them.

    Args:
        backbone: the network; with another precision than `float32` its layers are set to compute in that.
        batch_size: images per forward pass.
        precision: what is computed in. Weights and features are float32 in any case.
    """

    def __init__(self, backbone: Backbone, *, batch_size: int, precision: Precision = Precision.FLOAT32) -> None:
        super().__init__(backbone.spec, batch_size=batch_size)
        self._backbone = backbone
        self._num_bytes = backbone.num_bytes
        self._precision = precision
        if precision is not Precision.FLOAT32:
            _compute_in(precision, backbone.network)
        self._model = pixels_to_features(backbone)
        self._is_accelerated = has_accelerator()
        self._has_one_shape = compiles_each_shape()

    @property
    def precision(self) -> Precision:
        """What is computed in."""
        return self._precision

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

    @property
    def setup(self) -> str:
        """What the fastest batch size depends on besides the network."""
        import keras  # noqa: PLC0415 - TensorFlow comes with it

        devices = (card_names() or device_names()) if self._is_accelerated else [processor_name()]
        return f"keras {keras.__version__} {keras.backend.backend()} {self._precision} on {', '.join(devices)}"

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
        if self._precision is Precision.FLOAT32 or _are_held(features):
            return features
        self._go_back_to_full_precision()
        return self._infer(batch)

    def _go_back_to_full_precision(self) -> None:
        warn("half_precision_left", backbone=self._spec.name, precision=str(self._precision), instead="float32")
        self._precision = Precision.FLOAT32
        _compute_in(self._precision, self._backbone.network)
        self._model = pixels_to_features(self._backbone)

    def _pad(self, batch: np.ndarray) -> np.ndarray:
        """Fill a batch up with black images where one shape means one compiled function; elsewhere they only cost."""
        if len(batch) >= self.batch_size or not self._has_one_shape:
            return batch
        padded = np.zeros((self.batch_size, *batch.shape[1:]), batch.dtype)
        padded[: len(batch)] = batch
        return padded


def compiles_each_shape() -> bool:
    """Whether Keras compiles a function anew for each shape: JAX always, TensorFlow on accelerators, PyTorch never."""
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    backend = keras.backend.backend()
    return backend == "jax" or (backend != "torch" and has_accelerator())


def has_accelerator() -> bool:
    """Whether Keras finds anything but processors to compute on."""
    return not all(name.startswith("cpu") for name in device_names())


def fastest_precision() -> Precision:
    """What to compute in here, so that labels stay what they are: float16 on GPUs, else float32.

    Not bfloat16: it is no faster on GPUs, slower on those before Ampere, and has three bits fewer, so that it changes
    features about eight times as much. What float16 cannot hold, beyond 65,504, `KerasEngine` watches for.
    """
    is_gpu = any(name.startswith(("gpu", "cuda", "rocm")) for name in device_names())
    return Precision.FLOAT16 if is_gpu else Precision.FLOAT32


def device_names() -> list[str]:
    """What Keras computes on: "cpu:0", "gpu:0", "cuda:0"."""
    let_memory_grow()
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    if keras.backend.backend() == "torch":  # Keras lists no devices there
        return [str(keras.ops.zeros(1).device)]
    return [name.lower() for name in keras.distribution.list_devices()]


def let_memory_grow() -> None:
    """Have TensorFlow and JAX take a GPU's memory as they need it. To be called before a network is built."""
    for name, value in _GROWING_MEMORY.items():
        os.environ.setdefault(name, value)


def _are_held(features: np.ndarray) -> bool:
    """Whether no row is infinite, or all zeros."""
    return bool(np.isfinite(features).all() and features.any(axis=1).all())


def _compute_in(precision: Precision, network: "keras.Model") -> None:
    """Set a network's layers to compute in a precision; their weights stay float32."""
    policy = "float32" if precision is Precision.FLOAT32 else f"mixed_{precision}"
    *layers, features = flatten_layers(network.layers)  # the last one gives float32 whatever it is given
    del features
    for layer in layers:
        if type(layer).__name__ not in _FULL_PRECISION_LAYERS:
            layer.dtype_policy = policy
