"""From a decoded image of any shape to the shape that a network takes.

OpenCV is imported when the first image comes: planners and parents of workers import this module's importers.
"""

import numpy as np

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode

# The share of the short side that the central crop keeps. Source: DESIGN.md, "Preprocessing is part of the model".
_CROP_NUMERATOR, _CROP_DENOMINATOR = 7, 8

_Size = tuple[int, int]


def prepare(image_rgb: np.ndarray, contract: PreprocessingContract) -> np.ndarray:
    """Bring an image to a network's input size.

    Args:
        image_rgb: (H, W, 3) uint8 RGB, not changed.
        contract: the size, and how to reach it.

    Returns:
        (height, width, 3) uint8 RGB, contiguous.
    """
    match contract.resize:
        case ResizeMode.CROP:
            return _resize(_central(image_rgb, contract.size_hw), contract.size_hw)
        case ResizeMode.STRETCH:
            return _resize(image_rgb, contract.size_hw)
        case ResizeMode.PAD:
            return _letterbox(image_rgb, contract.size_hw)


def _central(image: np.ndarray, size_hw: _Size) -> np.ndarray:
    """Cut out the middle, in the proportions of the target; a view."""
    (height, width), (target_height, target_width) = image.shape[:2], size_hw
    fit_height = min(height, width * target_height // target_width)
    fit_width = min(width, height * target_width // target_height)
    crop_height = max(1, fit_height * _CROP_NUMERATOR // _CROP_DENOMINATOR)
    crop_width = max(1, fit_width * _CROP_NUMERATOR // _CROP_DENOMINATOR)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return image[top : top + crop_height, left : left + crop_width]


def _letterbox(image: np.ndarray, size_hw: _Size) -> np.ndarray:
    """Fit the whole image in, centred on black."""
    (height, width), (target_height, target_width) = image.shape[:2], size_hw
    scale = min(target_height / height, target_width / width)
    fit_hw = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (target_height - fit_hw[0]) // 2, (target_width - fit_hw[1]) // 2
    canvas = np.zeros((*size_hw, 3), np.uint8)
    canvas[top : top + fit_hw[0], left : left + fit_hw[1]] = _resize(image, fit_hw)
    return canvas


def _resize(image: np.ndarray, size_hw: _Size) -> np.ndarray:
    """Shrink over areas, enlarge linearly; an image that needs both, one for each axis, gets both in this order."""
    import cv2  # noqa: PLC0415  see the module's docstring

    smaller_hw = min(image.shape[0], size_hw[0]), min(image.shape[1], size_hw[1])
    if image.shape[:2] != smaller_hw:
        image = cv2.resize(image, smaller_hw[::-1], interpolation=cv2.INTER_AREA)
    if smaller_hw != size_hw:
        image = cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(image)
