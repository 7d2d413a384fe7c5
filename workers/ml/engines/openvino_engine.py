"""The engine for processors: OpenVINO on a network that was converted once (`workers.ml.engines.conversion`).

Measured with MobileNet-0.75 on two AVX-512 cores, images/s by batch size, medians of five interleaved rounds: 8: 341,
16: 350, 32: 311; one stream or two, fixed or dynamic shapes made no difference beyond the noise of 5%. So shapes are
dynamic, which pads nothing, and one stream with every core keeps the latency of a single image low.
"""

from pathlib import Path

import numpy as np

from workers.ml.catalog import BackboneSpec
from workers.ml.engines.interface import check_images
from workers.ml.engines.openvino_library import import_openvino, num_threads


class OpenVinoEngine:
    """Runs a converted backbone.

    Args:
        network: the converted network's `.xml`; its numbers lie beside it.
        spec: which backbone it is.
        batch_size: images per forward pass.

    Raises:
        RuntimeError: OpenVINO cannot read or run the files.
    """

    def __init__(self, network: Path, spec: BackboneSpec, *, batch_size: int) -> None:
        openvino = import_openvino()
        self._tensor = openvino.Tensor
        self._spec = spec
        self._batch_size = batch_size
        self._num_bytes = network.with_suffix(".bin").stat().st_size
        core = openvino.Core()
        # In full precision whatever the processor offers: labels must not depend on the machine. Threads are left where
        # the system puts them, for those that decode share the cores.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": num_threads(),
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(core.read_model(network), "CPU", options).create_infer_request()

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes at most."""
        return self._batch_size

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

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
            batch = np.ascontiguousarray(images[first : first + self._batch_size])
            outputs = self._request.infer({0: self._tensor(batch, shared_memory=True)}, share_outputs=True)
            features[first : first + len(batch)] = outputs[0]
        return features
