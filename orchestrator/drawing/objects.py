"""The five things of the demo, each as varied as people make them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from orchestrator.drawing.faces import card_paint, cube_texture
from orchestrator.drawing.sprites import (
    Colour,
    Outline,
    Sprite,
    brighter,
    colour_of,
    ellipse,
    heads,
    mirrored,
    rounded,
    tube,
)

Drawer = Callable[[np.random.Generator], Sprite]

# How many screws are for wood.
_POINTED_SHARE = 0.75
_METALS: tuple[Colour, ...] = ((190, 195, 200), (205, 170, 95), (95, 98, 105), (165, 160, 150), (190, 140, 100))


def draw_hat(rng: np.random.Generator) -> Sprite:
    """Draw anything from a top hat to a sun hat: a crown with a band, and a brim."""
    sprite = Sprite()
    colour = colour_of(rng.random(), rng.uniform(0.1, 0.85), rng.uniform(0.2, 0.85))
    is_tall = heads(rng)
    height = rng.uniform(0.8, 1.15) if is_tall else rng.uniform(0.5, 0.75)
    width = rng.uniform(0.42, 0.52) if is_tall else rng.uniform(0.45, 0.6)
    flare = rng.uniform(-0.1, 0.18) if is_tall else 0.0
    roundness = 1 / 12 if is_tall else rng.uniform(0.28, 0.5)
    tilt = rng.uniform(0.18, 0.32)  # how far it is seen from above
    base = 0.3 + height / 6
    brim = width * rng.uniform(1.55, 1.9)
    sprite.fill(ellipse((0, base + 0.05), (brim, brim * tilt)), brighter(colour, 0.45))
    sprite.fill(ellipse((0, base), (brim, brim * tilt)), tube(brighter(colour, 1.1), -brim, brim))

    def half_width(t: np.ndarray) -> np.ndarray:
        return width * (1 - (1 - t) ** (1 / roundness)) ** roundness * (1 + flare * (2 * t - 1) ** 2)

    paint, edge = tube(colour, -width, width), width * (1 + flare)
    front = ellipse((0, base), (edge, width * tilt), start=0, end=180)
    sprite.fill(mirrored(half_width, base - height, base), paint)
    sprite.fill(front, paint)
    _draw_band(sprite, rng, front, height * rng.uniform(0.14, 0.28))
    if is_tall:
        sprite.fill(ellipse((0, base - height + 0.02), (edge, width * tilt)), brighter(colour, 1.25))
    elif heads(rng):
        crease = ellipse((0, base - height), (width * 0.35, height * 0.16), start=10, end=170)
        sprite.line(crease, brighter(colour, 0.6), 0.03)
    return sprite


def _draw_band(sprite: Sprite, rng: np.random.Generator, front: Outline, thickness: float) -> None:
    colour = colour_of(rng.random(), rng.uniform(0.3, 0.95), rng.uniform(0.15, 0.95))
    upper = front - np.array((0, thickness))
    sprite.fill(np.concatenate([front, upper[::-1]]), tube(colour, front[:, 0].min(), front[:, 0].max()))


def draw_cube(rng: np.random.Generator) -> Sprite:
    """Draw a cube from above: plain, a die, a toy block, or a puzzle."""
    sprite = Sprite()
    yaw, pitch = rng.uniform(0.35, 1.22), -rng.uniform(0.4, 0.75)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    distance = rng.uniform(4.0, 9.0)

    def project(*corners: tuple[int, int, int]) -> np.ndarray:
        seen = np.array(corners, np.float64) @ turn.T @ nod.T
        places: np.ndarray = seen[:, :2] * 0.54 * distance / (distance - seen[:, 2:])
        return places

    faces = cube_texture(rng)
    lights = rng.permutation([1.0, 0.74, 0.5])
    top = project((-1, -1, -1), (1, -1, -1), (1, -1, 1), (-1, -1, 1))
    left = project((-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1))
    right = project((-1, -1, -1), (-1, -1, 1), (-1, 1, 1), (-1, 1, -1))
    for face, corners, light in zip(faces, (top, left, right), lights, strict=True):
        sprite.paste((face * light).astype(np.uint8), corners)
    return sprite


def draw_card(rng: np.random.Generator) -> Sprite:
    """Draw a playing card, mostly its face."""
    sprite = Sprite()
    height = rng.uniform(0.82, 0.9)
    width = height * rng.uniform(0.64, 0.72)
    sprite.fill(rounded(width, height, 0.09), (120, 118, 112))
    sprite.fill(rounded(width - 0.012, height - 0.012, 0.08), card_paint(rng, width, height))
    return sprite


def draw_torch(rng: np.random.Generator) -> Sprite:
    """Draw a burning torch: a handle, a bowl and a flame."""
    sprite = Sprite()
    width = rng.uniform(0.1, 0.15)
    wood = colour_of(rng.uniform(0.03, 0.12), rng.uniform(0.3, 0.75), rng.uniform(0.3, 0.7))
    metal = _METALS[rng.integers(len(_METALS))]
    rim = rng.uniform(0.0, 0.12)
    taper = rng.uniform(0.45, 0.8)
    sprite.fill(mirrored(lambda t: width * (1 - (1 - taper) * t), rim, 0.95), tube(wood, -width, width))
    for y in np.arange(rim + 0.25, rng.uniform(0.4, 0.9), rng.uniform(0.06, 0.14)):
        strip = np.array([(-width, y), (width, y - 0.05), (width, y - 0.02), (-width, y + 0.03)])
        sprite.fill(strip, tube(brighter(wood, 0.55), -width, width))
    _draw_flame(sprite, rng, base=rim, width=rng.uniform(0.24, 0.34), height=rng.uniform(0.75, 1.0))
    bowl = width * rng.uniform(1.7, 2.3)
    sprite.fill(
        mirrored(lambda t: bowl * (1 - 0.5 * t**1.5), rim - 0.02, rim + 0.24), tube(metal, -bowl, bowl, shine=0.6)
    )
    sprite.fill(_column(bowl * 1.1, rim - 0.05, rim + 0.01), tube(metal, -bowl, bowl, shine=0.6))
    sprite.glow = (255, 150, 50)
    return sprite


def _draw_flame(sprite: Sprite, rng: np.random.Generator, *, base: float, width: float, height: float) -> None:
    lean, phase = rng.uniform(-0.22, 0.22), rng.uniform(0, 6.3)
    hue = rng.uniform(0.02, 0.06)
    layers = (
        (1.0, hue, 0.95, 0.9),
        (0.76, hue + 0.045, 0.95, 1.0),
        (0.5, hue + 0.1, 0.7, 1.0),
        (0.26, 0.15, 0.25, 1.0),
    )
    for share, *colour in layers:
        t = np.linspace(0, 1, 80)  # from the tip down
        half = width * share * np.sin(np.pi * t**1.35) ** 0.9 * (1 + 0.14 * np.sin(9 * t + phase))
        middle = lean * (1 - t) ** 2 + 0.06 * share * np.sin(7 * t + phase) * (1 - t)
        y = base + 0.04 - height * share * (1 - t)
        outline = np.concatenate([np.stack([middle + half, y], axis=1), np.stack([middle - half, y], axis=1)[::-1]])
        sprite.fill(outline, colour_of(*colour))


def draw_screw(rng: np.random.Generator) -> Sprite:
    """Draw a screw from the side: a head, a shank with a thread, mostly a tip."""
    sprite = Sprite()
    metal = brighter(_METALS[rng.integers(len(_METALS))], rng.uniform(0.75, 1.15))
    core = rng.uniform(0.1, 0.15)
    top, bottom = rng.uniform(-0.7, -0.55), rng.uniform(0.75, 0.95)
    is_pointed = rng.random() < _POINTED_SHARE
    tip = rng.uniform(0.2, 0.35) if is_pointed else 0.02
    shank = bottom - tip
    paint = tube(metal, -core, core, shine=0.9)
    sprite.fill(_column(core, top, shank), paint)
    if is_pointed:
        sprite.fill(mirrored(lambda t: core * (1 - t) ** 0.8, shank, bottom), paint)
    _draw_thread(sprite, rng, metal, core=core, between=(top + rng.uniform(0.08, 0.5), shank, bottom))
    _draw_head(sprite, rng, metal, core=core, top=top)
    return sprite


def _draw_thread(
    sprite: Sprite, rng: np.random.Generator, metal: Colour, *, core: float, between: tuple[float, float, float]
) -> None:
    start, shank, bottom = between
    pitch, reach = rng.uniform(0.075, 0.12), core * rng.uniform(1.45, 1.75)
    for y in np.arange(start, bottom - pitch / 2, pitch):
        narrowing = 1.0 if y < shank else max(0.15, (bottom - y) / (bottom - shank))
        r = reach * narrowing
        ridge = np.array([(-r, y + pitch * 0.3), (r, y - pitch * 0.3), (r, y - pitch * 0.02), (-r, y + pitch * 0.58)])
        sprite.fill(ridge + np.array((0, pitch * 0.2)), brighter(metal, 0.35))
        sprite.fill(ridge, tube(metal, -r, r, shine=0.9))


def _draw_head(sprite: Sprite, rng: np.random.Generator, metal: Colour, *, core: float, top: float) -> None:
    width = core * rng.uniform(2.4, 3.2)
    paint = tube(brighter(metal, 1.05), -width, width, shine=0.8)
    match rng.integers(3):
        case 0:  # countersunk
            sprite.fill(mirrored(lambda t: width + (core - width) * t, top - 0.02, top + width * 0.8), paint)
            sprite.fill(_column(width, top - 0.07, top - 0.01), paint)
            _draw_slot(sprite, rng, metal, width=width, top=top - 0.07)
        case 1:  # round
            sprite.fill(mirrored(lambda t: width * np.sqrt(1 - (1 - t) ** 2), top - width * 0.75, top + 0.02), paint)
            _draw_slot(sprite, rng, metal, width=width, top=top - width * 0.75)
        case _:  # hexagonal, three faces of which are seen
            sprite.fill(_column(width, top - 0.26, top + 0.02), brighter(metal, 0.65))
            sprite.fill(_column(width * 0.5, top - 0.26, top + 0.02), brighter(metal, 1.1))
            sprite.fill(_column(width * 1.25, top - 0.02, top + 0.04), paint)


def _draw_slot(sprite: Sprite, rng: np.random.Generator, metal: Colour, *, width: float, top: float) -> None:
    half, depth = width * rng.uniform(0.12, 0.2), rng.uniform(0.06, 0.12)
    sprite.fill(_column(half, top, top + depth), brighter(metal, 0.25))


def _column(half_width: float, top: float, bottom: float) -> Outline:
    return np.array([(-half_width, top), (half_width, top), (half_width, bottom), (-half_width, bottom)])


DRAWERS: Mapping[str, Drawer] = MappingProxyType(
    {"Hat": draw_hat, "Cube": draw_cube, "Card": draw_card, "Torch": draw_torch, "Screw": draw_screw}
)
