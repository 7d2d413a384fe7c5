"""What things lie on or stand before."""

import numpy as np

from orchestrator.drawing.sprites import PICTURE_SIZE, colour_of, heads

# How many pictures have other things in them.
_CLUTTERED_SHARE = 0.4
_MORTAR = 2  # pixels between bricks


def draw_background(rng: np.random.Generator) -> np.ndarray:
    """Draw a background of some kind, with some clutter.

    Returns:
        (PICTURE_SIZE, PICTURE_SIZE, 3) float32 RGB, 0..255.
    """
    kind = _KINDS[rng.integers(len(_KINDS))]
    base = np.array(colour_of(rng.random(), rng.uniform(0.0, 0.3), rng.uniform(0.4, 0.95)), np.float32)
    image = kind(rng, base).astype(np.float32)
    if rng.random() < _CLUTTERED_SHARE:
        image = _with_clutter(image, rng)
    clipped: np.ndarray = image.clip(0, 255)
    return clipped


def _clouds(rng: np.random.Generator, num_cells: int) -> np.ndarray:
    """Smooth noise, (PICTURE_SIZE, PICTURE_SIZE) float32, about -1 to 1."""
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    cells = rng.uniform(-1, 1, (num_cells, num_cells)).astype(np.float32)
    clouds: np.ndarray = cv2.resize(cells, (PICTURE_SIZE, PICTURE_SIZE), interpolation=cv2.INTER_CUBIC)
    return clouds


def _gradient(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    other = np.array(colour_of(rng.random(), rng.uniform(0.0, 0.3), rng.uniform(0.4, 0.95)), np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = np.linspace(-1, 1, PICTURE_SIZE, dtype=np.float32)
    down = across[:, None]
    share: np.ndarray = (0.5 + 0.35 * (down * np.sin(angle) + across * np.cos(angle))).clip(0, 1)
    return _mixed(base, other, share)


def _plaster(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    rough = 14 * _clouds(rng, 4) + 10 * _clouds(rng, 24) + 9 * _clouds(rng, 90)
    image: np.ndarray = base + rough[..., None]
    return image


def _wood(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    del base
    colour = np.array(colour_of(rng.uniform(0.05, 0.11), rng.uniform(0.15, 0.4), rng.uniform(0.4, 0.85)), np.float32)
    down = np.arange(PICTURE_SIZE)[:, None]
    grain = np.sin(down / rng.uniform(1.2, 3) + 7 * _clouds(rng, 5)) * 9 + 6 * _clouds(rng, 60)
    plank = down // int(rng.integers(35, 75))
    shade = rng.uniform(-22, 22, plank.max() + 1)[plank] - 45 * (np.diff(plank, axis=0, prepend=0) > 0)
    image: np.ndarray = colour + (grain + shade)[..., None]
    return image if heads(rng) else image.swapaxes(0, 1)


def _cloth(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    """Stripes or checks."""
    other = np.array(colour_of(rng.random(), rng.uniform(0.0, 0.35), rng.uniform(0.4, 0.95)), np.float32)
    across = np.arange(PICTURE_SIZE, dtype=np.float32)
    down = across[:, None]
    angle, step = rng.uniform(0, np.pi), rng.uniform(12, 35)
    # Counted from far outside, since casting rounds towards 0.
    along = ((down * np.sin(angle) + across * np.cos(angle)) / step + PICTURE_SIZE).astype(np.int32) & 1
    aside = ((across * np.sin(angle) - down * np.cos(angle)) / step + PICTURE_SIZE).astype(np.int32) & 1
    share = np.float32(rng.uniform(0.15, 0.4)) * (along + (aside if heads(rng) else along))
    image: np.ndarray = _mixed(other, base, share) + 5 * _clouds(rng, 100)[..., None]
    return image


def _mixed(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Two colours, by the share of the first at each place, (H, W) from 0 to 1."""
    mixed: np.ndarray = second + (first - second) * share[..., None]
    return mixed


def _lights(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    """Something far out of focus."""
    import cv2  # noqa: PLC0415 - as above

    image = np.broadcast_to(base * 0.6, (PICTURE_SIZE, PICTURE_SIZE, 3)).astype(np.float32).copy()
    for _ in range(rng.integers(10, 30)):
        colour = colour_of(rng.random(), rng.uniform(0.05, 0.35), rng.uniform(0.5, 1.0))
        place = rng.integers(0, PICTURE_SIZE, 2).tolist()
        cv2.circle(image, place, int(rng.integers(8, 30)), colour, -1, cv2.LINE_AA)
    small = cv2.resize(image, (PICTURE_SIZE // 4, PICTURE_SIZE // 4), interpolation=cv2.INTER_AREA)
    blurred: np.ndarray = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(1, 3)), (PICTURE_SIZE, PICTURE_SIZE))
    return blurred


def _bricks(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    height = int(rng.integers(14, 28))
    width = height * 2
    across = np.arange(PICTURE_SIZE)
    down = across[:, None]
    row = down // height
    shifted = across + row % 2 * height
    shade = rng.uniform(-28, 28, (row.max() + 1, shifted.max() // width + 1))[row, shifted // width]
    mortar = (down % height < _MORTAR) | (shifted % width < _MORTAR)
    image = base + (shade + 10 * _clouds(rng, 90))[..., None]
    return np.where(mortar[..., None], base * 0.45 + 90, image)


_KINDS = (_gradient, _plaster, _wood, _cloth, _lights, _bricks)


def _with_clutter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay a few things without a name on it, out of focus."""
    import cv2  # noqa: PLC0415 - as above

    cluttered = np.ascontiguousarray(image)
    for _ in range(rng.integers(1, 6)):
        colour = colour_of(rng.random(), rng.uniform(0.0, 0.5), rng.uniform(0.3, 1.0))
        place = rng.integers(0, PICTURE_SIZE, 2)
        match rng.integers(3):
            case 0:
                radii = rng.integers(6, 35, 2).tolist()
                cv2.ellipse(cluttered, place.tolist(), radii, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
            case 1:
                corners = place + rng.integers(-40, 40, (int(rng.integers(3, 6)), 2))
                cv2.fillPoly(cluttered, [cv2.convexHull(corners.astype(np.int32))], colour, cv2.LINE_AA)
            case _:
                end = rng.integers(0, PICTURE_SIZE, 2).tolist()
                cv2.line(cluttered, place.tolist(), end, colour, int(rng.integers(2, 11)), cv2.LINE_AA)
    blurred: np.ndarray = cv2.GaussianBlur(cluttered, (0, 0), rng.uniform(0.5, 3))
    return blurred
