"""One thing, drawn upright and alone, before it is put into a scene.

Places are (x, y) from -1 to 1, x to the right and y down. Edges are hard: a sprite has twice the size of a picture, and
shrinking smooths them.
"""

from collections.abc import Callable

import numpy as np

PICTURE_SIZE = 224  # pixels of a picture, along either side
SIZE = 2 * PICTURE_SIZE  # pixels of a sprite
_UNIT = SIZE / 2  # pixels of the length 1

Colour = tuple[int, int, int]  # RGB, 0..255
Outline = np.ndarray  # (N, 2) float, the corners of a polygon
Paint = np.ndarray  # (SIZE, SIZE, 3) uint8 RGB, what a region is filled with


class Sprite:
    """What is drawn of one thing; what comes later covers what came before."""

    def __init__(self) -> None:
        self.image_rgb = np.zeros((SIZE, SIZE, 3), np.uint8)
        self.mask = np.zeros((SIZE, SIZE), np.uint8)  # 255 where the thing is
        self.glow: Colour | None = None  # the light that it gives off upwards

    def fill(self, outline: Outline, paint: Paint | Colour) -> None:
        """Fill a polygon."""
        import cv2  # noqa: PLC0415 - a command line must not wait for it

        corners = [to_pixels(outline)]
        if isinstance(paint, np.ndarray):
            region = np.zeros((SIZE, SIZE), np.uint8)
            cv2.fillPoly(region, corners, 255)
            cv2.copyTo(paint, region, self.image_rgb)
        else:
            cv2.fillPoly(self.image_rgb, corners, paint)
        cv2.fillPoly(self.mask, corners, 255)

    def line(self, outline: Outline, colour: Colour, width: float) -> None:
        """Draw along some places."""
        import cv2  # noqa: PLC0415 - as above

        for canvas, paint in ((self.image_rgb, colour), (self.mask, 255)):
            cv2.polylines(canvas, [to_pixels(outline)], False, paint, max(1, round(width * _UNIT)))

    def paste(self, texture_rgb: np.ndarray, corners: Outline) -> None:
        """Lay a picture into four corners, from its top left clockwise."""
        import cv2  # noqa: PLC0415 - as above

        height, width = texture_rgb.shape[:2]
        flat_corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        matrix = cv2.getPerspectiveTransform(flat_corners, to_pixels(corners).astype(np.float32))
        self.fill(corners, cv2.warpPerspective(texture_rgb, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))


def to_pixels(outline: Outline) -> np.ndarray:
    """Places as whole pixels, (N, 2) int32."""
    return np.round((np.asarray(outline, np.float64) + 1) * _UNIT).astype(np.int32)


def flat(colour: Colour) -> Paint:
    """One colour all over."""
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def tube(colour: Colour, left: float, right: float, *, shine: float = 0.0) -> Paint:
    """A colour as it looks on something round that stands upright.

    Args:
        colour: where the light falls.
        left: where the round thing begins, along x.
        right: and where it ends.
        shine: how much light is mirrored, 0 for cloth to 1 for metal.
    """
    across = (np.arange(SIZE) / _UNIT - 1 - left) / (right - left)
    diffuse = 0.4 + 0.65 * np.cos((across - 0.36) * np.pi * 0.85).clip(0, 1)
    mirrored = shine * 200 * np.exp(-(((across - 0.3) / 0.09) ** 2)) - shine * 45 * np.exp(
        -(((across - 0.62) / 0.12) ** 2)
    )
    row = np.asarray(colour, np.float64) * diffuse[:, None] + mirrored[:, None]
    return np.tile(row.clip(0, 255).astype(np.uint8), (SIZE, 1, 1))


def brighter(colour: Colour, factor: float) -> Colour:
    """A colour in more or less light."""
    red, green, blue = (min(255, max(0, round(part * factor))) for part in colour)
    return red, green, blue


def colour_of(hue: float, saturation: float, value: float) -> Colour:
    """A colour by hue, saturation and brightness, each from 0 to 1."""
    parts = [value - value * saturation * max(0.0, min((k := (shift + hue * 6) % 6), 4 - k, 1)) for shift in (5, 3, 1)]
    red, green, blue = (round(part * 255) for part in parts)
    return red, green, blue


def ellipse(centre: tuple[float, float], radii: tuple[float, float], *, start: float = 0, end: float = 360) -> Outline:
    """The outline of an ellipse, or of the part between two angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 61))
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1)


def rounded(half_width: float, half_height: float, radius: float) -> Outline:
    """The outline of a rectangle with round corners about the middle."""
    corners = (((1, 1), 0), ((-1, 1), 90), ((-1, -1), 180), ((1, -1), 270))
    return np.concatenate(
        [
            ellipse(
                (sx * (half_width - radius), sy * (half_height - radius)),
                (radius, radius),
                start=start,
                end=start + 90,
            )
            for (sx, sy), start in corners
        ]
    )


def mirrored(half_width: Callable[[np.ndarray], np.ndarray], top: float, bottom: float) -> Outline:
    """The outline of something symmetric that stands upright.

    Args:
        half_width: its width to one side by t, which goes from 0 at the top to 1 at the bottom.
        top: where it begins, along y.
        bottom: and where it ends.
    """
    t = np.linspace(0, 1, 61)
    right = np.stack([half_width(t), top + (bottom - top) * t], axis=1)
    return np.concatenate([right, (right * (-1, 1))[::-1]])


def heads(rng: np.random.Generator) -> bool:
    """Toss a coin."""
    return bool(rng.integers(2))
