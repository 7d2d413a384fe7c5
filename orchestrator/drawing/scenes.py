"""A picture as a camera would take it: a thing in some pose, its shadow, the light, and what the lens makes of it."""

import math

import numpy as np

from orchestrator.drawing.backgrounds import draw_background
from orchestrator.drawing.sprites import PICTURE_SIZE, SIZE, Colour, Sprite

# How many pictures are in focus.
_SHARP_SHARE = 0.4


def draw_scene(sprite: Sprite, rng: np.random.Generator, *, max_angle: float) -> np.ndarray:
    """Put a thing into a scene.

    Args:
        sprite: the thing.
        rng: decides on everything else.
        max_angle: how far it may be turned either way, in degrees.

    Returns:
        (PICTURE_SIZE, PICTURE_SIZE, 3) uint8 RGB.
    """
    pose = _pose(rng, max_angle)
    mask = _seen(sprite.mask, pose)[..., None] / 255
    # What is outside of the mask is black, so that shrinking has already taken the mask's share of each pixel.
    thing = _seen(sprite.image_rgb, pose)
    scene = draw_background(rng) * (1 - rng.uniform(0.25, 0.65) * _shadow(mask, rng))
    if sprite.glow is not None:
        scene = scene * 0.8 + _glow(sprite.mask, sprite.glow, pose) * rng.uniform(0.1, 0.4)
    return _photographed((scene * (1 - mask) + thing) * _light(rng), rng)


def _seen(image: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Bring a sprite's pixels to their places in a picture, as float32."""
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    posed = cv2.warpPerspective(image, pose, (SIZE, SIZE))
    seen: np.ndarray = cv2.resize(posed, (PICTURE_SIZE, PICTURE_SIZE), interpolation=cv2.INTER_AREA)
    return seen.astype(np.float32)


def _pose(rng: np.random.Generator, max_angle: float) -> np.ndarray:
    """How a sprite's pixels come to lie in the scene, (3, 3)."""
    angle = math.radians(rng.uniform(-max_angle, max_angle))
    scale = rng.uniform(0.68, 0.98)
    reach = SIZE / 2 * (1.1 - scale) * 0.6
    x, y = SIZE / 2 + rng.uniform(-reach, reach, 2)
    stretch = rng.uniform(0.88, 1.12)
    to_middle = np.array([[1, 0, -SIZE / 2], [0, 1, -SIZE / 2], [0, 0, 1]])
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, 1, 0], [*rng.uniform(-0.25, 0.25, 2) / (SIZE / 2), 1]])
    size = np.diag([scale * stretch, scale / stretch, 1])
    to_place = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    pose: np.ndarray = to_place @ tilt @ turn @ size @ to_middle
    return pose


def _shadow(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much of the light is taken away, (H, W, 1) from 0 to 1."""
    import cv2  # noqa: PLC0415 - as above

    across, down = rng.uniform(-11, 11), rng.uniform(2, 13)
    moved = cv2.warpAffine(mask, np.array([[1, 0, across], [0, 1, down]]), (PICTURE_SIZE, PICTURE_SIZE))
    shadow: np.ndarray = cv2.GaussianBlur(moved, (0, 0), rng.uniform(2, 8))
    return shadow[..., None]


def _glow(mask: np.ndarray, colour: Colour, pose: np.ndarray) -> np.ndarray:
    """The light that the upper half of a thing gives off, (H, W, 3), up to its colour."""
    import cv2  # noqa: PLC0415 - as above

    upper = mask.copy()
    upper[SIZE // 2 :] = 0
    glow: np.ndarray = cv2.GaussianBlur(_seen(upper, pose) / 255, (0, 0), 20)
    return glow[..., None] * np.array(colour, np.float32)


def _light(rng: np.random.Generator) -> np.ndarray:
    """How much light falls where, of which colour."""
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.3)
    across = np.linspace(-1, 1, PICTURE_SIZE, dtype=np.float32)
    down = across[:, None]
    brightness = rng.uniform(0.65, 1.15) + slope * (down * np.sin(angle) + across * np.cos(angle))
    vignette = 1 - rng.uniform(0.0, 0.25) * (down**2 + across**2) / 2
    warmth = rng.uniform(-0.12, 0.12)
    tint = np.array([1 + warmth, 1 + rng.uniform(-0.03, 0.03), 1 - warmth], np.float32)
    light: np.ndarray = (brightness * vignette)[..., None] * tint
    return light


def _photographed(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lens and sensor make of (PICTURE_SIZE, PICTURE_SIZE, 3) float32."""
    import cv2  # noqa: PLC0415 - as above

    is_sharp = rng.random() < _SHARP_SHARE
    seen = scene if is_sharp else cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.4, 1.3))
    noise = rng.standard_normal(seen.shape, np.float32) * rng.uniform(1, 11)
    picture: np.ndarray = (seen + noise).round().clip(0, 255).astype(np.uint8)
    return picture
