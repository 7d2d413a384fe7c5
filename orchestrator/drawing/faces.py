"""What is on flat faces: the suits of cards, the pips, letters and colours of cubes."""

from collections.abc import Mapping

import numpy as np

from orchestrator.drawing.sprites import (
    SIZE,
    Colour,
    Outline,
    Paint,
    brighter,
    colour_of,
    ellipse,
    flat,
    to_pixels,
)

_FACE_SIZE = 160
_RANKS = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")
# By a card's rank: how many pips are in a column on either side, and where those between them are, from -1 to 1.
_PIPS: Mapping[int, tuple[int, tuple[float, ...]]] = {
    1: (0, (0,)),
    2: (0, (-1, 1)),
    3: (0, (-1, 0, 1)),
    4: (2, ()),
    5: (2, (0,)),
    6: (3, ()),
    7: (3, (-0.5,)),
    8: (3, (-0.5, 0.5)),
    9: (4, (0,)),
    10: (4, (-0.67, 0.67)),
}
# Which of nine places, row by row, have a pip on the face of a die.
_DIE = {1: (4,), 2: (0, 8), 3: (0, 4, 8), 4: (0, 2, 6, 8), 5: (0, 2, 4, 6, 8), 6: (0, 2, 3, 5, 6, 8)}
# How many cards are seen from behind.
_BACK_SHARE = 0.15
_BLACK, _RED = (25, 25, 30), (200, 25, 35)
_LETTERS = "ABCDEFGHKMNPRSTXZ"


def card_paint(rng: np.random.Generator, half_width: float, half_height: float) -> Paint:
    """Paint for a card of this size, in the middle of a sprite."""
    paper = brighter((255, 252, 244), rng.uniform(0.85, 1.0))
    paint = flat(paper)
    if rng.random() < _BACK_SHARE:
        return _card_back(paint, rng, half_width, half_height)
    suit = _SUITS[rng.integers(len(_SUITS))]
    rank = int(rng.integers(1, 14))
    _draw_indices(paint, _RANKS[rank - 1], suit, (half_width, half_height))
    if rank in _PIPS:
        scale = 0.34 if rank == 1 else 0.12
        for x, y in _pip_places(rank, half_width * 0.42, half_height * 0.66):
            _fill(paint, suit.outline * (scale * (1 if y <= 0 else -1)) + (x, y), suit.colour)
    else:
        _draw_court(paint, rng, suit, (half_width, half_height))
    return paint


class _Suit:
    """A symbol."""

    def __init__(self, outline: Outline, colour: Colour) -> None:
        self.outline = outline  # about (0, 0), of about the size 1
        self.colour = colour


def _heart() -> Outline:
    angles = np.linspace(0, 2 * np.pi, 60)
    x = np.sin(angles) ** 3
    y = -(13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)) / 16
    return np.stack([x, y], axis=1)


def _spade() -> Outline:
    stem = np.array([(0.12, 0.4), (0.4, 1.1), (-0.4, 1.1), (-0.12, 0.4)])
    heart = _heart() * (1, -1)
    # From the lower middle around and back, with the stem in between.
    return np.concatenate([heart, stem])


def _club() -> Outline:
    leaves = [ellipse((x, y), (0.46, 0.46), start=start, end=start + 300) for x, y, start in _LEAVES]
    stem = np.array([(0.1, 0.2), (0.4, 1.1), (-0.4, 1.1), (-0.1, 0.2)])
    return np.concatenate([*leaves, stem])


_LEAVES = ((-0.5, 0.25, 30), (0.0, -0.5, 120), (0.5, 0.25, 210))
_DIAMOND = np.array([(0, -1.1), (0.75, 0), (0, 1.1), (-0.75, 0)])
_SUITS = (_Suit(_heart(), _RED), _Suit(_DIAMOND, _RED), _Suit(_spade(), _BLACK), _Suit(_club(), _BLACK))


def _pip_places(rank: int, across: float, down: float) -> list[tuple[float, float]]:
    num_beside, between = _PIPS[rank]
    beside = [(x, y) for x in (-across, across) for y in np.linspace(-down, down, num_beside)]
    return [*beside, *((0.0, y * down) for y in between)]


def _draw_indices(paint: Paint, rank: str, suit: _Suit, half: tuple[float, float]) -> None:
    """Write the rank into two corners, the second time upside down."""
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    for _ in range(2):
        x, y = to_pixels(np.array([(-half[0] + 0.05, -half[1] + 0.22)]))[0].tolist()
        cv2.putText(paint, rank, (x, y), cv2.FONT_HERSHEY_DUPLEX, 1.15, suit.colour, 3, cv2.LINE_AA)
        _fill(paint, suit.outline * 0.065 + (-half[0] + 0.12, -half[1] + 0.33), suit.colour)
        # In place: both halves of a card are alike.
        paint[:] = paint[::-1, ::-1].copy()


def _draw_court(paint: Paint, rng: np.random.Generator, suit: _Suit, half: tuple[float, float]) -> None:
    """Draw what stands for a king: a framed figure, the same upside down."""
    width, height = half[0] * 0.58, half[1] * 0.7
    frame = np.array([(-width, -height), (width, -height), (width, height), (-width, height)])
    _fill(paint, frame, (60, 60, 120))
    _fill(paint, frame * 0.97, (250, 240, 205))
    robe, crown = (colour_of(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.95)) for _ in range(2))
    for _ in range(2):
        _fill(
            paint, np.array([(-width * 0.9, 0), (-width * 0.45, -0.22), (width * 0.45, -0.22), (width * 0.9, 0)]), robe
        )
        _fill(paint, ellipse((0, -0.3), (0.12, 0.14)), (235, 190, 150))
        _fill(
            paint,
            np.array(
                [(-0.15, -0.4), (-0.18, -0.56), (-0.07, -0.46), (0, -0.58), (0.07, -0.46), (0.18, -0.56), (0.15, -0.4)]
            ),
            crown,
        )
        _fill(paint, suit.outline * 0.07 + (-width * 0.65, -height * 0.8), suit.colour)
        paint[:] = paint[::-1, ::-1].copy()


def _card_back(paint: Paint, rng: np.random.Generator, half_width: float, half_height: float) -> Paint:
    down, across = np.mgrid[0:SIZE, 0:SIZE]
    step = int(rng.integers(14, 30))
    lattice = ((down + across) % step < step // 3) | ((down - across) % step < step // 3)
    dark = colour_of(rng.random(), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8))
    pattern = np.where(lattice[..., None], flat(brighter(dark, 1.5)), flat(dark))
    left, top = to_pixels(np.array([(-half_width + 0.07, -half_height + 0.07)]))[0].tolist()
    paint[top : SIZE - top, left : SIZE - left] = pattern[top : SIZE - top, left : SIZE - left]
    return paint


def cube_texture(rng: np.random.Generator) -> list[np.ndarray]:
    """Three faces of one cube, each (H, W, 3) uint8 RGB."""
    match rng.integers(4):
        case 0:
            colour = colour_of(rng.random(), rng.uniform(0.2, 0.9), rng.uniform(0.6, 1.0))
            return [_framed(colour, brighter(colour, 0.7), int(rng.integers(1, 8))) for _ in range(3)]
        case 1:
            return _die(rng)
        case 2:
            return [_block(rng) for _ in range(3)]
        case _:
            return [_puzzle(rng) for _ in range(3)]


def _framed(inner: Colour, frame: Colour, width: int) -> np.ndarray:
    face = np.full((_FACE_SIZE, _FACE_SIZE, 3), frame, np.uint8)
    face[width:-width, width:-width] = inner
    return face


def _die(rng: np.random.Generator) -> list[np.ndarray]:
    import cv2  # noqa: PLC0415 - as above

    colour = colour_of(rng.random(), rng.uniform(0.0, 0.9), rng.uniform(0.75, 1.0))
    is_dark = sum(colour) < 3 * 140
    faces = []
    for number in rng.permutation(6)[:3] + 1:
        face = _framed(colour, brighter(colour, 0.85), 3)
        for place in _DIE[int(number)]:
            row, column = divmod(place, 3)
            centre = ((column + 1) * _FACE_SIZE // 4, (row + 1) * _FACE_SIZE // 4)
            cv2.circle(face, centre, _FACE_SIZE // 11, (245, 245, 240) if is_dark else (30, 25, 25), -1, cv2.LINE_AA)
        faces.append(face)
    return faces


def _block(rng: np.random.Generator) -> np.ndarray:
    import cv2  # noqa: PLC0415 - as above

    colour = colour_of(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.45, 0.9))
    face = _framed((236, 205, 150), colour, 16)
    letter = _LETTERS[rng.integers(len(_LETTERS))]
    (width, height), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_DUPLEX, 3.6, 12)
    place = ((_FACE_SIZE - width) // 2, (_FACE_SIZE + height) // 2)
    cv2.putText(face, letter, place, cv2.FONT_HERSHEY_DUPLEX, 3.6, colour, 12, cv2.LINE_AA)
    return face


def _puzzle(rng: np.random.Generator) -> np.ndarray:
    colours = ((200, 30, 40), (0, 120, 60), (20, 70, 180), (245, 210, 30), (240, 110, 20), (240, 240, 240))
    face = np.full((_FACE_SIZE, _FACE_SIZE, 3), 25, np.uint8)
    step = _FACE_SIZE // 3
    for row in range(3):
        for column in range(3):
            top, left = row * step + 5, column * step + 5
            face[top : top + step - 9, left : left + step - 9] = colours[rng.integers(len(colours))]
    return face


def _fill(paint: Paint, outline: Outline, colour: Colour) -> None:
    import cv2  # noqa: PLC0415 - as above

    cv2.fillPoly(paint, [to_pixels(outline)], colour, cv2.LINE_AA)
