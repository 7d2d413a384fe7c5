"""From a decoded image of any shape to the shape that a network takes.

OpenCV is imported when the first image comes: planners and parents of workers import this module's importers.
"""

from collections.abc import Collection

import numpy as np

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode

# The share of the short side that the central crop keeps. Source: DESIGN.md, "Preprocessing is part of the model".
_CROP_NUMERATOR, _CROP_DENOMINATOR = 7, 8

# What a JPEG decoder can leave out by itself, the largest first. Source: libjpeg's `scale_denom`.
_REDUCTIONS = (8, 4, 2)

_Size = tuple[int, int]


def prepare(image_rgb: np.ndarray, contract: PreprocessingContract, out: np.ndarray | None = None) -> np.ndarray:
    """Bring an image to a network's input size.

    Args:
        image_rgb: (H, W, 3) uint8 RGB, not changed.
        contract: the size, and how to reach it.
        out: where to write, such as one image's place in a batch: (height, width, 3) uint8, contiguous.

    Returns:
        (height, width, 3) uint8 RGB, contiguous; `out` where it was given.

    Raises:
        ValueError: `out` is of another shape or kind.
    """
    if out is not None:
        _require_slot(out, contract.size_hw)
    match contract.resize:
        case ResizeMode.CROP:
            return _resize(_central(image_rgb, contract.size_hw), contract.size_hw, out)
        case ResizeMode.STRETCH:
            return _resize(image_rgb, contract.size_hw, out)
        case ResizeMode.PAD:
            return _letterbox(image_rgb, contract.size_hw, out)


def largest_reduction(image_hw: _Size, contracts: Collection[PreprocessingContract]) -> int:
    """Tell by how much an image may be shrunk before it is prepared, so that no contract has to enlarge it again.

    Args:
        image_hw: height and width as stored. Whether the camera was held upright does not matter: what is returned is
            right either way.
        contracts: all that the image is going to be prepared for.

    Returns:
        1, 2, 4 or 8: what height and width may be divided by, rounded up.
    """
    if not contracts:
        return 1
    for reduction in _REDUCTIONS:
        height, width = -(-image_hw[0] // reduction), -(-image_hw[1] // reduction)
        if all(_suffices((height, width), item) and _suffices((width, height), item) for item in contracts):
            return reduction
    return 1


def _suffices(image_hw: _Size, contract: PreprocessingContract) -> bool:
    """Whether what a contract uses of an image is at least as large as what it makes of that."""
    used_hw, wanted_hw = image_hw, contract.size_hw
    match contract.resize:
        case ResizeMode.CROP:
            used_hw = _crop_hw(image_hw, contract.size_hw)
        case ResizeMode.PAD:
            wanted_hw = _fit_hw(image_hw, contract.size_hw)
    return used_hw[0] >= wanted_hw[0] and used_hw[1] >= wanted_hw[1]


def _crop_hw(image_hw: _Size, size_hw: _Size) -> _Size:
    """The size of the middle, in the proportions of the target."""
    (height, width), (target_height, target_width) = image_hw, size_hw
    fit_height = min(height, width * target_height // target_width)
    fit_width = min(width, height * target_width // target_height)
    return (
        max(1, fit_height * _CROP_NUMERATOR // _CROP_DENOMINATOR),
        max(1, fit_width * _CROP_NUMERATOR // _CROP_DENOMINATOR),
    )


def _central(image: np.ndarray, size_hw: _Size) -> np.ndarray:
    """Cut out the middle; a view."""
    height, width = image.shape[:2]
    crop_height, crop_width = _crop_hw((height, width), size_hw)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return image[top : top + crop_height, left : left + crop_width]


def _fit_hw(image_hw: _Size, size_hw: _Size) -> _Size:
    """The size of the whole image once it fits in."""
    (height, width), (target_height, target_width) = image_hw, size_hw
    scale = min(target_height / height, target_width / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _letterbox(image: np.ndarray, size_hw: _Size, out: np.ndarray | None) -> np.ndarray:
    """Fit the whole image in, centred on black."""
    fit_hw = _fit_hw((image.shape[0], image.shape[1]), size_hw)
    top, left = (size_hw[0] - fit_hw[0]) // 2, (size_hw[1] - fit_hw[1]) // 2
    canvas = np.empty((*size_hw, 3), np.uint8) if out is None else out
    canvas[:] = 0
    _resize(image, fit_hw, canvas[top : top + fit_hw[0], left : left + fit_hw[1]])
    return canvas


def _resize(image: np.ndarray, size_hw: _Size, out: np.ndarray | None = None) -> np.ndarray:
    """Shrink over areas, enlarge linearly; an image that needs both, one for each axis, gets both in this order."""
    import cv2  # noqa: PLC0415  see the module's docstring

    smaller_hw = min(image.shape[0], size_hw[0]), min(image.shape[1], size_hw[1])
    if image.shape[:2] != smaller_hw:
        in_place = out if smaller_hw == size_hw else None
        image = cv2.resize(image, smaller_hw[::-1], dst=in_place, interpolation=cv2.INTER_AREA)
    if smaller_hw != size_hw:
        image = cv2.resize(image, size_hw[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
    if out is None:
        return np.ascontiguousarray(image)
    # OpenCV returns another array on the same pixels; an image of the right size is still where it was.
    if not np.may_share_memory(image, out):
        out[:] = image
    return out


def _require_slot(out: np.ndarray, size_hw: _Size) -> None:
    if out.shape != (*size_hw, 3) or out.dtype != np.uint8 or not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(
            f"out: expected a contiguous, writeable array of shape {(*size_hw, 3)} and uint8, "
            f"received {out.shape} and {out.dtype} with {out.flags.c_contiguous=}, {out.flags.writeable=}."
        )
