"""From a decoded image of any shape to the shape that a network takes.

OpenCV is imported when the first image comes: planners and parents of workers import this module's importers.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode

# The share of the short side that the central crop keeps. Source: DESIGN.md, "Preprocessing is part of the model".
_CROP_NUMERATOR, _CROP_DENOMINATOR = 7, 8

# What a JPEG decoder can shrink by while it decodes, the largest first. Source: libjpeg's `scale_denom`.
_REDUCTIONS = (8, 4, 2)
# How many of a reduced image's pixels have to be left for one of the network's input: the fewer, the more it shows how
# the decoder shrank. With 100 photographs enlarged to 12 megapixels, the largest probability that MobileNet-0.75 gives
# moves by 0.014 on average at 1.5 (an eighth), 0.008 at 2.9 (a quarter), 0.004 at 5.9 (a half), and by 0.010 when every
# sample is a grey level off or the photograph a pixel out of place.
_MIN_OVERSIZE = 2.5
# So many rows and columns of the network's input may be computed for nothing, to make its edges lie where they should.
_MAX_EXTRA = 16

_Size = tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A decoded image that may be smaller than what its file holds."""

    image_rgb: np.ndarray  # (H, W, 3) uint8 RGB
    full_hw: tuple[int, int]  # of the upright image, had it been decoded in full
    reduction: int = 1  # what the full height and width were divided by, rounded up


@dataclass(frozen=True, slots=True)
class Layout:
    """Which part of an image goes where in a network's input. Boxes: top, left, height, width in pixels."""

    source: tuple[int, int, int, int]
    target: tuple[int, int, int, int]

    @property
    def shrinkage(self) -> float:
        """By how much the part gets smaller along the axis where it does so least."""
        return min(self.source[2] / self.target[2], self.source[3] / self.target[3])


def prepare(image: np.ndarray | Picture, contract: PreprocessingContract, out: np.ndarray | None = None) -> np.ndarray:
    """Bring an image to a network's input size.

    Args:
        image: (H, W, 3) uint8 RGB, not changed.
        contract: the size, and how to reach it.
        out: where to write, such as one image's place in a batch: (height, width, 3) uint8, contiguous.

    Returns:
        (height, width, 3) uint8 RGB, contiguous; `out` where it was given.

    Raises:
        ValueError: `out` is of another shape or kind.
    """
    picture = image if isinstance(image, Picture) else Picture(image, (image.shape[0], image.shape[1]))
    if out is not None:
        _require_slot(out, contract.size_hw)
    layout = lay_out(picture.full_hw, contract)
    top, left, height, width = layout.target
    if (height, width) == contract.size_hw:
        return _fill(picture, layout, out)
    canvas = np.empty((*contract.size_hw, 3), np.uint8) if out is None else out
    canvas[:] = 0
    _fill(picture, layout, canvas[top : top + height, left : left + width])
    return canvas


def lay_out(image_hw: _Size, contract: PreprocessingContract) -> Layout:
    """Tell which part of an image a network sees, and where in its input.

    Args:
        image_hw: height and width of the upright image, in pixels.
        contract: the size of the input, and how to reach it.
    """
    (height, width), (target_height, target_width) = image_hw, contract.size_hw
    source, target = (0, 0, height, width), (0, 0, target_height, target_width)
    match contract.resize:
        case ResizeMode.STRETCH:
            return Layout(source, target)
        case ResizeMode.CROP:
            # The middle, in the proportions of the target.
            fit_height = min(height, width * target_height // target_width)
            fit_width = min(width, height * target_width // target_height)
            crop_height = max(1, fit_height * _CROP_NUMERATOR // _CROP_DENOMINATOR)
            crop_width = max(1, fit_width * _CROP_NUMERATOR // _CROP_DENOMINATOR)
            return Layout(((height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width), target)
        case ResizeMode.PAD:
            # The whole image, centred on black.
            scale = min(target_height / height, target_width / width)
            fit_height, fit_width = max(1, round(height * scale)), max(1, round(width * scale))
            return Layout(
                source, ((target_height - fit_height) // 2, (target_width - fit_width) // 2, fit_height, fit_width)
            )


def largest_reduction(full_hw: _Size, contracts: Collection[PreprocessingContract]) -> int:
    """Tell by how much an image may be shrunk before it is prepared without a network noticing.

    Args:
        full_hw: height and width as stored. Which of them is which once the image is upright does not matter: what is
            returned is right either way.
        contracts: all that the image is going to be prepared for; with none of them it stays whole.

    Returns:
        1, 2, 4 or 8.
    """
    upright_or_not = {full_hw, full_hw[::-1]}
    shrinkages = [lay_out(image_hw, contract).shrinkage for contract in contracts for image_hw in upright_or_not]
    spare = min(shrinkages, default=1.0) / _MIN_OVERSIZE
    return next((reduction for reduction in _REDUCTIONS if reduction <= spare), 1)


def _fill(picture: Picture, layout: Layout, out: np.ndarray | None) -> np.ndarray:
    if picture.reduction > 1:
        return _resize_reduced(picture, layout, out)
    top, left, height, width = layout.source
    return _resize(picture.image_rgb[top : top + height, left : left + width], layout.target[2:], out)


def _resize(image: np.ndarray, size_hw: _Size, out: np.ndarray | None) -> np.ndarray:
    """Shrink over areas, enlarge linearly; an image that needs both, one for each axis, gets both in this order."""
    import cv2  # noqa: PLC0415  see the module's docstring

    smaller_hw = min(image.shape[0], size_hw[0]), min(image.shape[1], size_hw[1])
    if image.shape[:2] != smaller_hw:
        place = out if smaller_hw == size_hw else None
        image = cv2.resize(image, smaller_hw[::-1], dst=place, interpolation=cv2.INTER_AREA)
    if smaller_hw != size_hw:
        image = cv2.resize(image, size_hw[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
    return _placed(image, out)


def _resize_reduced(picture: Picture, layout: Layout, out: np.ndarray | None) -> np.ndarray:
    """Shrink over areas, from edges that lie between the pixels of a reduced image."""
    import cv2  # noqa: PLC0415  see the module's docstring

    top, left, height, width = (edge / picture.reduction for edge in layout.source)
    target_height, target_width = layout.target[2:]
    step_y, step_x = height / target_height, width / target_width
    (first_y, num_extra_y), (first_x, num_extra_x) = _whole_start(top, step_y), _whole_start(left, step_x)
    part = picture.image_rgb[
        first_y : first_y + math.ceil((num_extra_y + target_height) * step_y),
        first_x : first_x + math.ceil((num_extra_x + target_width) * step_x),
    ]
    # OpenCV keeps to these steps only where it is not told the size, which it then finds by rounding.
    resized = cv2.resize(part, None, fx=1 / step_x, fy=1 / step_y, interpolation=cv2.INTER_AREA)
    wanted = resized[num_extra_y : num_extra_y + target_height, num_extra_x : num_extra_x + target_width]
    return _placed(wanted, out)


def _whole_start(edge: float, step: float) -> tuple[int, int]:
    """Find a whole pixel to start at, a number of steps before an edge: OpenCV cannot start within a pixel.

    Returns:
        The pixel, and the number of steps from there to the edge.
    """
    num_extra = min(
        range(min(_MAX_EXTRA, int(edge / step)) + 1),
        key=lambda num: abs(edge - num * step - round(edge - num * step)),
    )
    return round(edge - num_extra * step), num_extra


def _placed(image: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    if out is None:
        return np.ascontiguousarray(image)
    # OpenCV returns another array on the same memory; an image that had the right size is still where it was.
    if not np.may_share_memory(image, out):
        out[:] = image
    return out


def _require_slot(out: np.ndarray, size_hw: _Size) -> None:
    if out.shape != (*size_hw, 3) or out.dtype != np.uint8 or not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(
            f"out: expected a contiguous, writeable array of shape {(*size_hw, 3)} and uint8, "
            f"received {out.shape} and {out.dtype} with {out.flags.c_contiguous=}, {out.flags.writeable=}."
        )
