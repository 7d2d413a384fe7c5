"""A picture as a camera would take it: a thing in some pose, its shadow, the light, and what the lens makes of it."""

import math

import numpy as np

from orchestrator.drawing.backgrounds import draw_background
from orchestrator.drawing.sprites import SIZE, Sprite

PICTURE_SIZE = 224
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
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    scene = draw_background(rng)
    pose = _pose(rng, max_angle)
    mask = cv2.warpPerspective(sprite.mask, pose, (SIZE, SIZE)).astype(np.float32) / 255
    thing = cv2.warpPerspective(sprite.image_rgb, pose, (SIZE, SIZE))
    scene = scene * (1 - rng.uniform(0.25, 0.65) * _shadow(mask, rng))
    if sprite.glow is not None:
        scene = scene * 0.8 + _glow(sprite, pose) * rng.uniform(0.1, 0.4)
    scene += (thing - scene) * mask[..., None]
    small = cv2.resize(scene, (PICTURE_SIZE, PICTURE_SIZE), interpolation=cv2.INTER_AREA)
    return _photographed(small * _light(rng), rng)


def _pose(rng: np.random.Generator, max_angle: float) -> np.ndarray:
    """How a sprite's pixels come to lie in the scene, (3, 3)."""
    angle = math.radians(rng.uniform(-max_angle, max_angle))
    scale = rng.uniform(0.5, 0.95)
    reach = SIZE / 2 * (1.05 - scale)
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
    """How much of the light is taken away, (SIZE, SIZE, 1) from 0 to 1."""
    import cv2  # noqa: PLC0415 - as above

    across, down = rng.uniform(-22, 22), rng.uniform(4, 26)
    moved = cv2.warpAffine(mask, np.array([[1, 0, across], [0, 1, down]]), (SIZE, SIZE))
    return _blurred(moved, rng.uniform(4, 16))


def _glow(sprite: Sprite, pose: np.ndarray) -> np.ndarray:
    """The light that the upper half of a thing gives off, (SIZE, SIZE, 3), up to its colour."""
    import cv2  # noqa: PLC0415 - as above

    upper = sprite.mask.astype(np.float32) / 255
    upper[SIZE // 2 :] = 0
    return _blurred(cv2.warpPerspective(upper, pose, (SIZE, SIZE)), 40) * np.float32(sprite.glow)


def _blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    """Blur (SIZE, SIZE) strongly into (SIZE, SIZE, 1); at a quarter of its size, where that is cheap."""
    import cv2  # noqa: PLC0415 - as above

    small = cv2.resize(image, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA)
    blurred: np.ndarray = cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / 4), (SIZE, SIZE))
    return blurred[..., None]


def _light(rng: np.random.Generator) -> np.ndarray:
    """How much light falls where, of which colour."""
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.35)
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
