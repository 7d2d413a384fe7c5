"""`python -m workers.ml.engines.converting FOLDER`: writes the network whose recipe is on stdin for OpenVINO.

A process of its own, because it needs Keras on the OpenVINO backend, which a process chooses once, and memory for the
network twice. No TensorFlow: the backend builds OpenVINO's own graph out of Keras' layers.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from workers.ml.backbones import Backbone, pixels_to_features
from workers.ml.engines.openvino_library import import_openvino
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import to_bytes

NETWORK_FILE, HEAD_FILE = "network.xml", "head.safetensors"
WEIGHTS, BIAS = "weights", "bias"


def main(folder: Path) -> int:
    """Convert the network whose recipe is on standard input."""
    convert(NetworkRecipe.from_bytes(sys.stdin.buffer.read()), folder)
    return 0


def convert(recipe: NetworkRecipe, folder: Path) -> None:
    """Write a network, and its own last layer if it has one, into a folder.

    Keras must run on its OpenVINO backend.
    """
    openvino = import_openvino()
    backbone, head = recipe.build()
    network = _trace(openvino, backbone)
    _simplify(network)
    openvino.save_model(network, folder / NETWORK_FILE, compress_to_fp16=False)
    if head is not None:
        (folder / HEAD_FILE).write_bytes(to_bytes({WEIGHTS: head.weights, BIAS: head.bias}, {}))


def _trace(openvino: ModuleType, backbone: Backbone) -> Any:  # noqa: ANN401 - openvino.Model
    """Call the network on a placeholder; Keras' own `export` would fix the number of images to 1."""
    import keras  # noqa: PLC0415 - its backend is chosen by the parent process

    placeholder = openvino.opset16.parameter([-1, *backbone.spec.size_hw, 3], openvino.Type.u8)
    features = pixels_to_features(backbone)(keras.ops.convert_to_tensor(placeholder.output(0)))
    return openvino.Model([features.output], [placeholder])


def _simplify(network: Any) -> None:  # noqa: ANN401 - openvino.Model
    """Take out what Keras put in to have its colours last: without it OpenVINO is twice as fast.

    Around every convolution the exported graph turns the axes, and back. Folding constants lays bare that the turns in
    between cancel out; then OpenVINO's reader of TensorFlow's graphs, which has the same trouble, knows how to cancel
    them; then the multiplications that they stood in the way of can be folded into the convolutions.
    """
    from openvino._offline_transformations import apply_moc_transformations  # noqa: PLC0415
    from openvino.frontend import FrontEndManager  # noqa: PLC0415

    apply_moc_transformations(network, cf=True)
    FrontEndManager().load_by_framework("tf").normalize(network)
    apply_moc_transformations(network, cf=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
