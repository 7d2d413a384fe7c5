"""An image as people look at it: small, whole, in its own proportions; and beside it what networks see of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from workers.ml.resizing import Picture, prepare


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """An image for somebody to look at."""

    image_rgb: np.ndarray  # (h, w, 3) uint8 RGB, contiguous: all of the image
    full_hw: tuple[int, int]  # height and width of the upright image, in pixels
    inputs: Mapping[PreprocessingContract, np.ndarray]  # (H, W, 3) uint8 RGB, what networks see


def square(longest: int) -> PreprocessingContract:
    """What a view needs of a decoder: as many pixels as fit into a square."""
    return PreprocessingContract((longest, longest), ResizeMode.PAD)


def make_view(picture: Picture, longest: int, contracts: Collection[PreprocessingContract] = ()) -> View:
    """Make a view of a decoded image, which is never enlarged.

    Args:
        picture: decoded large enough for `square(longest)` and the contracts.
        longest: its longer side in the view, in pixels, at the most.
        contracts: of networks whose inputs are to come with it.
    """
    height, width = picture.full_hw
    scale = min(1.0, longest / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    image_rgb = prepare(picture, PreprocessingContract(size_hw, ResizeMode.STRETCH))
    return View(image_rgb, picture.full_hw, {contract: prepare(picture, contract) for contract in contracts})
