"""Images that come as one item of an `.npy` array instead of a file.

Items are read by seeking to them, not by mapping the file: an array that shrinks under a mapping kills the process that
looks at it, and a seek works on object stores too. Knows nothing of OpenCV; planners import it when they meet an array.
"""

import math
from dataclasses import dataclass
from io import BytesIO
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from core.errors import InputError
from core.types import Reason
from workers.ml.limits import ImageLimits

NUM_DIMENSIONS = 4
NUM_CHANNELS = 3
WHITE = 255.0
# Planners look at this many evenly spread items to tell an array of 0..1 from one of 0..255.
NUM_SCALE_SAMPLES = 64
# NumPy refuses longer headers too, but reads them first, however long they say that they are.
MAX_HEADER_BYTES = 64 * 1024
# What NumPy lets through besides ValueError when it parses a header as Python's literals.
_HEADER_ERRORS = (SyntaxError, TokenError, RecursionError, MemoryError, TypeError, LookupError, OverflowError)
# How far a float may lie outside of 0..255 and still be rounding.
_TOLERANCE = 0.5


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What the start of an `.npy` file says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool  # the first axis varies fastest, so that an item is scattered over the whole file
    offset: int  # first byte of the values

    @property
    def item_num_bytes(self) -> int:
        """Bytes of one item."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def item_offset(self, index: int) -> int:
        """First byte of an item in the file."""
        return self.offset + index * self.item_num_bytes


def read_header(file: IO[bytes]) -> ArrayHeader:
    """Read the start of an `.npy` file; nothing in it is ever unpickled.

    Raises:
        ValueError: the file is no `.npy` file.
    """
    file = BytesIO(file.read(MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(file)
    # Version 3 differs from 2 in the encoding of field names only, and arrays with fields are no images.
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, is_fortran, dtype = reader(file)
    except _HEADER_ERRORS as error:
        raise ValueError(f"its header cannot be read ({type(error).__name__})") from error
    if any(length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}, which no array has")
    return ArrayHeader(tuple(shape), dtype, bool(is_fortran), file.tell())


def is_image_type(dtype: np.dtype[Any]) -> bool:
    """Whether values of this type are colours: bytes, or floats of any width."""
    return dtype == np.uint8 or dtype.kind == "f"


def read_item(file: IO[bytes], header: ArrayHeader, index: int) -> np.ndarray:
    """Read one item, of any shape.

    Raises:
        InputError: the file ends before the item does.
    """
    file.seek(header.item_offset(index))
    return item_from_bytes(file.read(header.item_num_bytes), header, index)


def item_from_bytes(data: bytes, header: ArrayHeader, index: int) -> np.ndarray:
    """Make an item of the bytes at its place in the file.

    Raises:
        InputError: there are too few.
    """
    if len(data) < header.item_num_bytes:
        raise InputError(
            Reason.TRUNCATED,
            f"The array ends {header.item_num_bytes - len(data)} bytes before the end of item {index}; save it again.",
        )
    return np.frombuffer(data, header.dtype).reshape(header.shape[1:])


def find_scale(file: IO[bytes], header: ArrayHeader) -> float:
    """Find the factor that brings an array's values to 0..255, once for the whole array.

    Decided per item, a dark image of 0..255 would be taken for a bright one of 0..1.
    """
    if header.dtype.kind != "f" or not all(header.shape):
        return 1.0
    num_items = header.shape[0]
    num_samples = min(num_items, NUM_SCALE_SAMPLES)
    indices = (position * (num_items - 1) // max(num_samples - 1, 1) for position in range(num_samples))
    # A comparison with NaN is false, so items that hold some say what their other values say.
    return 1.0 if any((read_item(file, header, index) > 1.0).any() for index in indices) else WHITE


def check_item(header: ArrayHeader, index: int, limits: ImageLimits) -> None:
    """Check that an item can be an image, before it is read.

    Raises:
        InputError: it cannot.
    """
    shape = header.shape[1:]
    if len(shape) != NUM_DIMENSIONS - 1 or shape[-1] != NUM_CHANNELS or not all(shape):
        raise InputError(
            Reason.WRONG_SHAPE, f"Item {index} has the shape {shape}; expected (height, width, 3), channels last, RGB."
        )
    if not is_image_type(header.dtype):
        raise InputError(Reason.WRONG_SHAPE, f"Item {index} is {header.dtype}; expected uint8 or float.")
    if not 0 <= index < header.shape[0]:
        raise InputError(
            Reason.WRONG_SHAPE, f"There is no item {index}: the array has {header.shape[0]} items, counted from 0."
        )
    if header.item_num_bytes > limits.max_bytes:
        raise InputError(
            Reason.TOO_MANY_BYTES,
            f"Item {index} has {header.item_num_bytes} bytes; at most {limits.max_bytes} are allowed "
            "(LABELYARD_MAX_IMAGE_BYTES).",
        )
    if shape[0] * shape[1] > limits.max_pixels:
        raise InputError(
            Reason.TOO_MANY_PIXELS,
            f"Item {index} has {shape[0] * shape[1]} pixels; at most {limits.max_pixels} are allowed "
            "(LABELYARD_MAX_IMAGE_PIXELS).",
        )


def from_array(item: np.ndarray, scale: float) -> np.ndarray:
    """Bring an item's values to 8 bits.

    Args:
        item: (H, W, 3) uint8 or float, RGB, not changed.
        scale: multiplies the values to bring them to 0..255.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: values are not numbers, or lie outside of the range that the rest of the array has.
    """
    if item.dtype == np.uint8:
        return item
    values = item.astype(np.float32) * np.float32(scale)
    darkest, brightest = float(values.min()), float(values.max())
    if not (math.isfinite(darkest) and math.isfinite(brightest)):
        raise InputError(Reason.WRONG_SHAPE, "The item holds values that are not numbers; expected finite colours.")
    if darkest < -_TOLERANCE or brightest > WHITE + _TOLERANCE:
        raise InputError(
            Reason.WRONG_SHAPE,
            f"The item's values go from {darkest / scale:g} to {brightest / scale:g}; expected 0 to {WHITE / scale:g}, "
            "as in the rest of the array.",
        )
    colours: np.ndarray = values.round().clip(0, WHITE).astype(np.uint8)
    return colours
