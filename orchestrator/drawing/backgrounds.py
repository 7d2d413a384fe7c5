"""What things lie on or stand before."""

import numpy as np

from orchestrator.drawing.sprites import SIZE, colour_of, heads

# How many pictures have other things in them.
_CLUTTERED_SHARE = 0.6
_MORTAR = 5  # pixels between bricks


def draw_background(rng: np.random.Generator) -> np.ndarray:
    """Draw a background of some kind, with some clutter.

    Returns:
        (SIZE, SIZE, 3) float32 RGB, 0..255.
    """
    kind = _KINDS[rng.integers(len(_KINDS))]
    base = np.array(colour_of(rng.random(), rng.uniform(0.0, 0.55), rng.uniform(0.25, 0.95)), np.float32)
    image = kind(rng, base).astype(np.float32)
    if rng.random() < _CLUTTERED_SHARE:
        image = _with_clutter(image, rng)
    clipped: np.ndarray = image.clip(0, 255)
    return clipped


def _clouds(rng: np.random.Generator, num_cells: int) -> np.ndarray:
    """Smooth noise, (SIZE, SIZE) float32, about -1 to 1."""
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    cells = rng.uniform(-1, 1, (num_cells, num_cells)).astype(np.float32)
    clouds: np.ndarray = cv2.resize(cells, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return clouds


def _gradient(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    other = np.array(colour_of(rng.random(), rng.uniform(0.0, 0.5), rng.uniform(0.25, 0.95)), np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    down = across[:, None]
    share = (0.5 + 0.35 * (down * np.sin(angle) + across * np.cos(angle))).clip(0, 1)[..., None]
    return base * share + other * (1 - share)


def _plaster(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    rough = 14 * _clouds(rng, 4) + 10 * _clouds(rng, 24) + 9 * _clouds(rng, 110)
    return base + rough[..., None]


def _wood(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    del base
    colour = np.array(colour_of(rng.uniform(0.05, 0.11), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.85)), np.float32)
    down = np.arange(SIZE)[:, None]
    grain = np.sin(down / rng.uniform(2.5, 6) + 7 * _clouds(rng, 5)) * 9 + 6 * _clouds(rng, 60)
    plank = down // int(rng.integers(70, 150))
    shade = rng.uniform(-22, 22, plank.max() + 1)[plank] - 45 * (np.diff(plank, axis=0, prepend=0) > 0)
    image: np.ndarray = colour + (grain + shade)[..., None]
    return image if heads(rng) else image.swapaxes(0, 1)


def _cloth(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    """Stripes or checks."""
    other = np.array(colour_of(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.95)), np.float32)
    across = np.arange(SIZE, dtype=np.float32)
    down = across[:, None]
    angle, step = rng.uniform(0, np.pi), rng.uniform(25, 70)
    # Counted from far outside, since casting rounds towards 0.
    along = ((down * np.sin(angle) + across * np.cos(angle)) / step + SIZE).astype(np.int32) & 1
    aside = ((across * np.sin(angle) - down * np.cos(angle)) / step + SIZE).astype(np.int32) & 1
    share = ((along + (aside if heads(rng) else along)) * np.float32(rng.uniform(0.15, 0.4)))[..., None]
    return base * (1 - share) + other * share + 5 * _clouds(rng, 150)[..., None]


def _lights(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    """Something far out of focus."""
    import cv2  # noqa: PLC0415 - as above

    image = np.broadcast_to(base * 0.6, (SIZE, SIZE, 3)).astype(np.float32).copy()
    for _ in range(rng.integers(10, 30)):
        colour = colour_of(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.4, 1.0))
        place = rng.integers(0, SIZE, 2).tolist()
        cv2.circle(image, place, int(rng.integers(15, 60)), colour, -1, cv2.LINE_AA)
    small = cv2.resize(image, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA)
    blurred: np.ndarray = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(2, 6)), (SIZE, SIZE))
    return blurred


def _bricks(rng: np.random.Generator, base: np.ndarray) -> np.ndarray:
    height = int(rng.integers(28, 55))
    width = height * 2
    across = np.arange(SIZE)
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
        colour = colour_of(rng.random(), rng.uniform(0.0, 0.9), rng.uniform(0.15, 1.0))
        place = rng.integers(0, SIZE, 2)
        match rng.integers(3):
            case 0:
                radii = rng.integers(12, 70, 2).tolist()
                cv2.ellipse(cluttered, place.tolist(), radii, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
            case 1:
                corners = place + rng.integers(-80, 80, (int(rng.integers(3, 6)), 2))
                cv2.fillPoly(cluttered, [cv2.convexHull(corners.astype(np.int32))], colour, cv2.LINE_AA)
            case _:
                end = rng.integers(0, SIZE, 2).tolist()
                cv2.line(cluttered, place.tolist(), end, colour, int(rng.integers(3, 22)), cv2.LINE_AA)
    blurred: np.ndarray = cv2.GaussianBlur(cluttered, (0, 0), rng.uniform(1, 6))
    return blurred
