"""Named arrays as bytes and back: the safetensors format, which holds numbers and text and nothing that could run.

What a model consists of is not known here; whoever reads says what it expects.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.errors import DamagedModelError

# Source: the safetensors format: 8 bytes of little-endian length, a JSON header of that length, the numbers.
_LENGTH_NUM_BYTES = 8
_METADATA_KEY = "__metadata__"

Expected = Mapping[str, tuple[tuple[int, ...], np.dtype | str]]  # shape and dtype by name


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Write arrays and text as one safetensors file.

    Args:
        tensors: arrays of any numeric dtype and layout, by name.
        metadata: text that goes with them.
    """
    # safetensors writes memory as it lies, whatever the strides say.
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    # Of no arrays with no text safetensors 0.8 makes a header that it cannot read; None is another thing than nothing.
    data: bytes = save(contiguous, dict(metadata) or None)
    return data


def from_bytes(data: bytes, *, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `to_bytes` wrote.

    Args:
        data: a safetensors file.
        name: what it holds, for the message: "The head of parts@2".

    Returns:
        The arrays by name, and the text that goes with them.

    Raises:
        DamagedModelError: it is no safetensors file, or not all of one.
    """
    try:
        tensors: dict[str, np.ndarray] = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        # A dtype that numpy lacks is a KeyError.
        raise DamagedModelError(
            f"{name} is damaged: expected a safetensors file, received {len(data):,} bytes that cannot be read "
            f"({error}). Train or import the model again."
        ) from error
    length = int.from_bytes(data[:_LENGTH_NUM_BYTES], "little")
    try:
        header = json.loads(data[_LENGTH_NUM_BYTES : _LENGTH_NUM_BYTES + length], object_pairs_hook=_once_each)
    except ValueError as error:
        raise DamagedModelError(f"{name} is damaged: {error}. Train or import the model again.") from error
    return tensors, dict(header.get(_METADATA_KEY, {}))


def check_finite(tensors: Mapping[str, np.ndarray], *, name: str) -> None:
    """Make sure that arrays hold numbers, none of them infinite.

    Args:
        tensors: by name.
        name: what they are, for the message.

    Raises:
        DamagedModelError: one does not; the message names it.
    """
    for key, tensor in tensors.items():
        num_bad = int(np.count_nonzero(~np.isfinite(tensor)))
        if num_bad:
            raise DamagedModelError(
                f"{name} cannot be used: {num_bad} of {tensor.size} values of {key!r} are infinite or no numbers at "
                "all. Train the model again."
            )


def check_shapes(tensors: Mapping[str, np.ndarray], expected: Expected, *, name: str) -> None:
    """Make sure that arrays are the ones that are expected, no more and no fewer.

    Args:
        tensors: by name.
        expected: shape and dtype by name.
        name: what they are, for the message: "The head of parts@2".

    Raises:
        DamagedModelError: one is missing, unknown, or of another shape or dtype; the message names it.
    """
    for key, (shape, dtype) in expected.items():
        wanted = describe_array(shape, np.dtype(dtype))
        if key not in tensors:
            raise DamagedModelError(f"{name} is not what was written: {key!r} is missing, expected {wanted}.")
        received = describe_array(tensors[key].shape, tensors[key].dtype)
        if received != wanted:
            raise DamagedModelError(f"{name} is not what was written: {key!r} is {received}, expected {wanted}.")
    for key, tensor in tensors.items():
        if key not in expected:
            received = describe_array(tensor.shape, tensor.dtype)
            raise DamagedModelError(f"{name} is not what was written: received {key!r}, {received}, which is unknown.")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that stand twice: of two readers each might take another."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return values


def describe_array(shape: tuple[int, ...], dtype: np.dtype) -> str:
    """A shape and a dtype in words: "(256, 5) float32"."""
    return f"{tuple(shape)} {dtype.name}"
