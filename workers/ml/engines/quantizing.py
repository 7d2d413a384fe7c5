"""`python -m workers.ml.engines.quantizing NETWORK IMAGES FOLDER`: writes a converted network once more, in int8.

A process of its own, for NNCF takes memory and holds OpenVINO in ways that a worker must not inherit. It would report
its use by OpenVINO's telemetry package, which is kept from being imported as everywhere here.

Biases are corrected layer by layer, the slower of NNCF's two ways. MobileNet-0.75, calibrated on 245 photographs and
judged on 203 others, keeps 97% of its labels the faster way in 5 s and all of them this way in 7 s; see
docs/adr/0016-int8.md for more.
"""

import sys
from pathlib import Path

import numpy as np

from workers.ml.engines.converting import NETWORK_FILE
from workers.ml.engines.openvino_library import import_openvino


def quantize(network: Path, images: np.ndarray, folder: Path) -> None:
    """Write a network in int8.

    Args:
        network: the converted network's `.xml`.
        images: (N, H, W, 3) uint8 RGB, what its activations are measured on.
        folder: where it goes.
    """
    openvino = import_openvino()
    import nncf  # noqa: PLC0415 - after telemetry was taken away

    quantized = nncf.quantize(
        openvino.Core().read_model(network),
        nncf.Dataset(list(images[:, np.newaxis])),
        subset_size=len(images),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        fast_bias_correction=False,
    )
    openvino.save_model(quantized, folder / NETWORK_FILE, compress_to_fp16=False)


if __name__ == "__main__":
    network_, images_, folder_ = map(Path, sys.argv[1:])
    quantize(network_, np.load(images_), folder_)
