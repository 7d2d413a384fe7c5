"""The engine for processors: OpenVINO on a network that was converted once (`workers.ml.engines.conversion`).

A worker has two chunks at a time, so there are two streams, each with half of the cores and a batch of its own: threads
then wait less for each other. Measured with MobileNet-0.75 on two AVX-512 cores, batches of 4: 612 images/s with two
streams, 583 with one; with decoding beside it 412 and 382. Shapes are dynamic, which pads nothing.
"""

import queue
from pathlib import Path
from typing import Any

import numpy as np

from workers.ml.catalog import BackboneSpec
from workers.ml.engines.batching import BatchedEngine
from workers.ml.engines.interface import Precision
from workers.ml.engines.machine import num_threads, processor_name
from workers.ml.engines.openvino_library import import_openvino, openvino_version

NUM_STREAMS = 2


class OpenVinoEngine(BatchedEngine):
    """Runs a converted backbone.

    Args:
        network: the converted network's `.xml`; its numbers lie beside it.
        spec: which backbone it is.
        batch_size: images per forward pass.
        precision: what the network was made to compute in; it follows from the file.

    Raises:
        RuntimeError: OpenVINO cannot read or run the files.
    """

    def __init__(
        self, network: Path, spec: BackboneSpec, *, batch_size: int, precision: Precision = Precision.FLOAT32
    ) -> None:
        num_streams = min(NUM_STREAMS, num_threads())
        super().__init__(spec, batch_size=batch_size, num_turns=num_streams)
        self._num_streams = num_streams
        self._precision = precision
        openvino = import_openvino()
        self._tensor = openvino.Tensor
        self._num_bytes = network.with_suffix(".bin").stat().st_size
        core = openvino.Core()
        # What is not made for int8 runs in full precision whatever the processor offers: labels must not depend on the
        # machine. Threads are left where the system puts them, for those that decode share the cores.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": str(num_streams),
            "INFERENCE_NUM_THREADS": num_threads(),
            "ENABLE_CPU_PINNING": False,
        }
        compiled = core.compile_model(core.read_model(network), "CPU", options)
        # The one that was used last first: what it works with is still in the processor's cache.
        self._requests: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(num_streams):
            self._requests.put(compiled.create_infer_request())

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return self._num_bytes

    @property
    def setup(self) -> str:
        """What the fastest batch size depends on besides the network."""
        return f"openvino {openvino_version()} {self._precision} in {self._num_streams} streams on {processor_name()}"

    def _infer(self, batch: np.ndarray) -> np.ndarray:
        tensor = self._tensor(np.ascontiguousarray(batch), shared_memory=True)
        request = self._requests.get()
        try:
            features: np.ndarray = request.infer({0: tensor})[0]
        finally:
            self._requests.put(request)
        return features
