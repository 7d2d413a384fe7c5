"""A network's variables by keys that hold in every process, so that only what training changed has to be stored.

A key is the variable's position in `network.weights` and its short name: "0042/kernel". Neither depends on how Keras
numbers what its authors left unnamed, nor on what else was built, nor on which layers are trainable. Positions follow
from the architecture; if another version of Keras changes that, key, shape or dtype do not fit and the error says so.
Statistics of batch normalisation are variables like any other; seeds of dropout are not.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.errors import DamagedModelError
from workers.ml.backbones import Backbone, build_backbone
from workers.ml.catalog import BackboneSpec
from workers.ml.tensors import Expected, check_shapes, describe_array

if TYPE_CHECKING:
    import keras

_AUTOMATIC_NAME = re.compile(r"(?:\w+_)?variable(?:_\d+)?")


def collect_variables(
    network: "keras.Model", layers: Sequence["keras.layers.Layer"] | None = None
) -> dict[str, np.ndarray]:
    """Copy a network's variables.

    Args:
        network: whose.
        layers: of these alone; None: all.
    """
    return {key: _to_array(variable) for key, variable in _keyed(network, layers).items()}


def changed_variables(before: Mapping[str, np.ndarray], network: "keras.Model") -> dict[str, np.ndarray]:
    """Copy the variables that are not what they were.

    Args:
        before: what `collect_variables` gave for the same network, or for some of its layers; others are not looked at.
        network: as it is now.
    """
    return {
        key: value
        for key, variable in _keyed(network).items()
        if key in before and not np.array_equal(value := _to_array(variable), before[key])
    }


def expected_variables(network: "keras.Model") -> Expected:
    """Shape and dtype of each of a network's variables."""
    return {key: (tuple(variable.shape), _numpy_dtype(variable)) for key, variable in _keyed(network).items()}


def apply_variables(network: "keras.Model", tensors: Mapping[str, np.ndarray], *, name: str) -> None:
    """Give some of a network's variables other values; all of them or, if one does not fit, none.

    Args:
        network: changed in place.
        tensors: what `collect_variables` or `changed_variables` gave.
        name: what they are, for the message: "The network of parts@2".

    Raises:
        DamagedModelError: one is not a variable of this network, or of another shape or dtype; the message names it.
    """
    expected = expected_variables(network)
    for key, tensor in tensors.items():
        if key not in expected:
            received = describe_array(tensor.shape, tensor.dtype)
            raise DamagedModelError(
                f"{name} does not fit {network.name}: received {key!r}, {received}, expected keys from "
                f"{min(expected)!r} to {max(expected)!r}. It was made for another network or version of Keras."
            )
    check_shapes(tensors, {key: expected[key] for key in tensors}, name=name)
    variables = _keyed(network)
    for key, tensor in tensors.items():
        variables[key].assign(tensor)


def build_trained(
    spec: BackboneSpec, tensors: Mapping[str, np.ndarray], *, from_published: bool, name: str
) -> Backbone:
    """Build a network that was trained here, up to its feature vector.

    Args:
        spec: which network.
        tensors: the variables that training changed.
        from_published: whether the others are the published ones, which must be in the cache; else there are no others.
        name: what the tensors are, for the message: "The network of parts@2".

    Raises:
        DamagedModelError: the tensors do not fit the network, or without published weights do not fill it.
        WeightsError: the published weights are not in the cache, or their file is damaged.
    """
    backbone = build_backbone(spec, weights="imagenet" if from_published else None)
    if not from_published:
        check_shapes(tensors, expected_variables(backbone.network), name=name)
    apply_variables(backbone.network, tensors, name=name)
    return backbone


def _keyed(network: "keras.Model", layers: Sequence["keras.layers.Layer"] | None = None) -> dict[str, "keras.Variable"]:
    wanted = None if layers is None else {id(variable) for layer in layers for variable in layer.weights}
    return {
        f"{position:04}/{_short_name(variable)}": variable
        for position, variable in enumerate(network.weights)
        if wanted is None or id(variable) in wanted
    }


def _short_name(variable: "keras.Variable") -> str:
    # Keras numbers unnamed variables too, such as ConvNeXt's scales.
    return "variable" if _AUTOMATIC_NAME.fullmatch(variable.name) else str(variable.name)


def _to_array(variable: "keras.Variable") -> np.ndarray:
    # A copy: on a CPU it may be a view of memory that training goes on changing.
    return np.array(variable.numpy(), dtype=_numpy_dtype(variable))


def _numpy_dtype(variable: "keras.Variable") -> np.dtype:
    dtype = np.dtype(str(variable.dtype))
    # Counters are as wide as the backend's integers, which differ; a model may go from one backend to another.
    return np.dtype(np.int64) if dtype.kind == "i" else dtype
