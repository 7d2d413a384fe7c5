"""ONNX files, for ONNX Runtime and whatever else reads them.

tf2onnx usually freezes a network's weights into TensorFlow's graph first. VGG16's then exist many times over, more than
24 GiB of them, and constants that a layer computed itself (EfficientNet's normalisation) get lost. Here the weights are
inputs of the graph while it is converted, and become constants of the ONNX file afterwards: VGG16 takes 4 GB, and all
families convert but ConvNeXt, two of whose operations tf2onnx does not know.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import SetupError, UsageError
from workers.ml.exports.whole import INPUT, OUTPUT

if TYPE_CHECKING:
    import keras

# Source: the ONNX releases; 18 is of 2022 and is read by every runtime since ONNX Runtime 1.14.
OPSET = 18
# A protobuf cannot be larger; weights beyond it go into a file beside.
MAX_INLINE_BYTES = 2**31 - 2**20


def write_onnx(path: Path, model: "keras.Model", metadata: Mapping[str, str]) -> None:
    """Write a model: `pixels` (N, H, W, 3) float32 -> `probabilities` (N, C) float32, for any N.

    Args:
        path: the file. Weights of 2 GiB and more go into `<path>.data` beside it.
        model: what `whole.build_whole` built.
        metadata: text that goes with it, by name.

    Raises:
        SetupError: the libraries are not installed, or Keras does not run on TensorFlow.
        UsageError: the network has operations that cannot be translated.
    """
    onnx = _import_onnx()
    with warnings.catch_warnings():
        # tf2onnx still asks numpy for names that numpy has given up.
        warnings.simplefilter("ignore")
        graph_model, constants = _convert(model)
    _require_translated(onnx, graph_model.graph, model.name)
    _make_constants(onnx, graph_model.graph, constants)
    _rename_output(graph_model.graph)
    onnx.helper.set_model_props(graph_model, dict(metadata))
    num_bytes = sum(value.nbytes for value in constants.values())
    onnx.save(
        graph_model,
        str(path),
        save_as_external_data=num_bytes > MAX_INLINE_BYTES,
        location=f"{path.name}.data",
    )


def _import_onnx() -> Any:  # noqa: ANN401 - a module
    try:
        import onnx  # noqa: PLC0415 - an extra
        import tf2onnx  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise SetupError(
            f"Writing ONNX needs libraries that are not installed ({error.name}). "
            "Run `pip install 'labelyard[onnx]'`, or export to keras or safetensors."
        ) from error
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    if keras.backend.backend() != "tensorflow":
        raise SetupError(
            f"Writing ONNX needs Keras on TensorFlow; KERAS_BACKEND is {keras.backend.backend()}. "
            "Unset it and try again."
        )
    return onnx


def _convert(model: "keras.Model") -> tuple[Any, dict[str, np.ndarray]]:
    """Convert the graph; its weights are inputs of it, whose values come beside it by name."""
    import tensorflow as tf  # noqa: PLC0415 - the converter is TensorFlow's, so this module is
    import tf2onnx  # noqa: PLC0415 - an extra

    num_trainable = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    names = [f"weight_{number:05}" for number in range(len(variables))]

    def call(pixels: Any, *values: Any) -> Any:  # noqa: ANN401 - symbolic tensors
        outputs, _ = model.stateless_call(values[:num_trainable], values[num_trainable:], pixels, training=False)
        return outputs

    signature = [
        tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name=INPUT),
        *(
            tf.TensorSpec(variable.shape, variable.dtype, name=name)
            for name, variable in zip(names, variables, strict=True)
        ),
    ]
    function = tf.function(call, input_signature=signature)
    graph_model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    constants = {name: variable.numpy() for name, variable in zip(names, variables, strict=True)}
    # What layers computed once, outside of the graph, is an input of it too.
    captures = function.get_concrete_function().graph.captures
    return graph_model, constants | {inner.name: outer.numpy() for outer, inner in captures}


def _require_translated(onnx: Any, graph: Any, name: str) -> None:  # noqa: ANN401 - a module, a graph
    """Refuse a graph that still has TensorFlow's operations; tf2onnx leaves them in and goes on."""
    unknown = sorted({node.op_type for node in graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:
        raise UsageError(
            f"{name} cannot be written as ONNX: tf2onnx does not translate {', '.join(unknown)}. "
            "Export it to keras or safetensors."
        )


def _make_constants(onnx: Any, graph: Any, constants: Mapping[str, np.ndarray]) -> None:  # noqa: ANN401 - a module, a graph
    used = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name.partition(":")[0] == INPUT]
    for value in graph.input:
        if value not in kept and value.name in used:
            array = constants.get(value.name, constants.get(value.name.partition(":")[0]))
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), value.name))
    del graph.input[:]
    graph.input.extend(kept)


def _rename_output(graph: Any) -> None:  # noqa: ANN401 - a graph
    """Call the output by its name; tf2onnx calls it after the last operation."""
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = [OUTPUT if name == output.name else name for name in node.output]
    output.name = OUTPUT
