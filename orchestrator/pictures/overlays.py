"""A network's map laid over the image that it is about, in the right place whatever part of it the network saw."""

from dataclasses import dataclass

import numpy as np

from core.preprocessing import PreprocessingContract
from workers.ml.resizing import lay_out

# How much of the picture the warmest colour covers.
_STRONGEST = 0.65
# What is left of the brightness where the network saw nothing.
_UNSEEN_BRIGHTNESS = 0.4
_BRIGHTEST = 255


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright image; it may reach beyond the image."""

    top: float
    left: float
    height: float
    width: float


def map_box(full_hw: tuple[int, int], contract: PreprocessingContract) -> Box:
    """Where a network's whole input lies on the image. With black edges around the image it is larger than that.

    Args:
        full_hw: height and width of the upright image, in pixels.
        contract: how it became the input.
    """
    layout = lay_out(full_hw, contract)
    (top, left, height, width), (target_top, target_left, target_height, target_width) = layout.source, layout.target
    step_y, step_x = height / target_height, width / target_width
    return Box(
        top - target_top * step_y,
        left - target_left * step_x,
        contract.size_hw[0] * step_y,
        contract.size_hw[1] * step_x,
    )


def lay_over(
    image_rgb: np.ndarray, full_hw: tuple[int, int], contract: PreprocessingContract, contributions: np.ndarray
) -> np.ndarray:
    """Paint what speaks for a class over an image, and darken what the network did not see.

    Args:
        image_rgb: (h, w, 3) uint8 RGB, the whole image, of any size.
        full_hw: height and width of the upright image, in pixels.
        contract: how the image became the network's input.
        contributions: (rows, columns) float32 over the whole input; what is negative is not painted.

    Returns:
        (h, w, 3) uint8 RGB, a new array.
    """
    import cv2  # noqa: PLC0415 - only who asks for pictures waits for it

    box = map_box(full_hw, contract)
    seen = _is_seen(image_rgb.shape[:2], full_hw, box)
    heat = _heat(image_rgb.shape[:2], full_hw, box, contributions) * seen
    levels = np.round(heat * _BRIGHTEST).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[..., ::-1]
    cover = (heat * _STRONGEST)[..., None]
    shown = image_rgb * np.where(seen, 1.0, _UNSEEN_BRIGHTNESS)[..., None].astype(np.float32)
    painted: np.ndarray = np.round(shown * (1 - cover) + colours * cover).astype(np.uint8)
    return painted


def _heat(shown_hw: tuple[int, int], full_hw: tuple[int, int], box: Box, contributions: np.ndarray) -> np.ndarray:
    """The map as large as the picture, 0..1: between the middles of two of its places it goes evenly."""
    import cv2  # noqa: PLC0415 - only who asks for pictures waits for it

    warm = np.maximum(contributions, 0)
    if warm.max() > 0:
        warm = warm / warm.max()
    rows, columns = contributions.shape
    step_y, step_x = full_hw[0] / shown_hw[0], full_hw[1] / shown_hw[1]
    scale_y, scale_x = rows / box.height, columns / box.width
    # From the middle of a pixel that is shown to a place of the map.
    matrix = np.array(
        [
            [step_x * scale_x, 0, (0.5 * step_x - box.left) * scale_x - 0.5],
            [0, step_y * scale_y, (0.5 * step_y - box.top) * scale_y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    spread: np.ndarray = cv2.warpAffine(
        warm.astype(np.float32), matrix, shown_hw[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return spread


def _is_seen(shown_hw: tuple[int, int], full_hw: tuple[int, int], box: Box) -> np.ndarray:
    ys = (np.arange(shown_hw[0]) + 0.5) * full_hw[0] / shown_hw[0]
    xs = (np.arange(shown_hw[1]) + 0.5) * full_hw[1] / shown_hw[1]
    in_rows = (ys >= box.top) & (ys < box.top + box.height)
    in_columns = (xs >= box.left) & (xs < box.left + box.width)
    seen: np.ndarray = in_rows[:, None] & in_columns[None, :]
    return seen
