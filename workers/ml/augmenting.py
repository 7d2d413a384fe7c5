"""Augmentation: training images varied, so that a model does not learn by heart how each was taken.

Every number comes from the generator that is handed in, so equal generators give equal images. Where images come from
and what is trained on them is not known here. OpenCV is imported when the first image comes, as in `resizing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.types import Augment

NUM_COPIES: Mapping[Augment, int] = {Augment.NONE: 0, Augment.LIGHT: 2, Augment.STRONG: 5}
"""Augmented copies per training image where features are kept, so that images cannot vary from epoch to epoch.

Each costs one pass of the backbone, once: training with light copies is 3 passes, with strong ones 6. Light copies soon
resemble each other, and two show three images in four mirrored too; strong ones differ in more ways, so five are kept.
"""

_MIRRORED_SHARE = 0.5
_MID_GREY = 127.5
# How much each colour adds to brightness. Source: ITU-R BT.601.
_LUMA_RGB = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class _Ranges:
    """How far an image is varied: each number is the most, to either side."""

    shift: float  # of height and width
    zoom: float  # of the scale
    rotation_deg: float
    brightness: float  # of the range 0..255
    contrast: float  # of the distance from middle grey
    saturation: float  # of the distance from grey
    tint: float  # of each colour on its own


_RANGES: Mapping[Augment, _Ranges] = {
    Augment.LIGHT: _Ranges(0.08, 0.1, 0, 0, 0, 0, 0),
    Augment.STRONG: _Ranges(0.12, 0.2, 20, 0.12, 0.25, 0.3, 0.08),
}


def augment(image_rgb: np.ndarray, level: Augment, rng: np.random.Generator) -> np.ndarray:
    """Vary one image; what moves in from outside is the image's own mirrored edge.

    Args:
        image_rgb: (H, W, 3) uint8 RGB, not changed.
        level: how much.
        rng: what the variation depends on.

    Returns:
        (H, W, 3) uint8 RGB, a new array of the same size.
    """
    ranges = _RANGES.get(level)
    if ranges is None:
        return image_rgb.copy()
    import cv2  # noqa: PLC0415  see the module's docstring

    height, width = image_rgb.shape[:2]
    moved = cv2.warpAffine(
        image_rgb, _movement(height, width, ranges, rng), (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    if level is Augment.LIGHT:
        return np.asarray(moved, np.uint8)
    return np.asarray(cv2.transform(moved, _recolouring(ranges, rng)), np.uint8)


def copy_rng(sha256_hex: str, copy: int) -> np.random.Generator:
    """The generator for one augmented copy of an image: always the same, whatever the seed or the image's name.

    Args:
        sha256_hex: of the image's file.
        copy: which copy, from 0.
    """
    return np.random.default_rng([int(sha256_hex, 16), copy])


def _movement(height: int, width: int, ranges: _Ranges, rng: np.random.Generator) -> np.ndarray:
    """Mirroring, rotation and zoom about the centre, then a shift: (2, 3) float64, acting on (x, y, 1)."""
    mirror = -1.0 if rng.random() < _MIRRORED_SHARE else 1.0
    scale = 1 + _draw(rng, ranges.zoom)
    angle = np.deg2rad(_draw(rng, ranges.rotation_deg))
    shift = np.array([_draw(rng, ranges.shift) * width, _draw(rng, ranges.shift) * height])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * rotation @ np.diag([mirror, 1.0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, centre - linear @ centre + shift])


def _recolouring(ranges: _Ranges, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and tint: (3, 4) float64, acting on (r, g, b, 1)."""
    saturation = 1 + _draw(rng, ranges.saturation)
    tint = np.diag([1 + _draw(rng, ranges.tint) for _ in _LUMA_RGB])
    contrast = 1 + _draw(rng, ranges.contrast)
    brightness = _draw(rng, ranges.brightness) * 255
    grey = np.tile(_LUMA_RGB, (3, 1))
    colours = contrast * tint @ (saturation * np.eye(3) + (1 - saturation) * grey)
    return np.column_stack([colours, np.full(3, _MID_GREY * (1 - contrast) + brightness)])


def _draw(rng: np.random.Generator, most: float) -> float:
    return float(rng.uniform(-most, most))
