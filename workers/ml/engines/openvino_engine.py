"""The engine for processors: OpenVINO on a network that was converted once (`workers.ml.engines.conversion`).

Measured with MobileNet-0.75 on two AVX-512 cores, images/s by batch size, medians of five interleaved rounds: 8: 341,
16: 350, 32: 311; one stream or two, fixed or dynamic shapes made no difference beyond the noise of 5%. So shapes are
dynamic, which pads nothing, and one stream with every core keeps the latency of a single image low.
"""

from pathlib import Path

import numpy as np

from workers.ml.catalog import BackboneSpec
from workers.ml.engines.batching import BatchedEngine
from workers.ml.engines.machine import num_threads, processor_name
from workers.ml.engines.openvino_library import import_openvino, openvino_version


class OpenVinoEngine(BatchedEngine):
    """Runs a converted backbone.

    Args:
        network: the converted network's `.xml`; its numbers lie beside it.
        spec: which backbone it is.
        batch_size: images per forward pass.

    Raises:
        RuntimeError: OpenVINO cannot read or run the files.
    """

    def __init__(self, network: Path, spec: BackboneSpec, *, batch_size: int) -> None:
        super().__init__(spec, batch_size=batch_size)
        openvino = import_openvino()
        self._tensor = openvino.Tensor
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
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

    @property
    def setup(self) -> str:
        """What the fastest batch size depends on besides the network."""
        return f"openvino {openvino_version()} float32 on {processor_name()}"

    def _infer(self, batch: np.ndarray) -> np.ndarray:
        tensor = self._tensor(np.ascontiguousarray(batch), shared_memory=True)
        features: np.ndarray = self._request.infer({0: tensor}, share_outputs=True)[0]
        return features
