"""The demo's pictures as files: some to train on, some to test, and many of which only a list says what they show."""

import csv
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.drawing.objects import DRAWERS
from orchestrator.drawing.scenes import draw_scene

# Source: the teaching notebook that Labelyard grew from has 65 training and 9 test photographs of these classes.
NUM_TRAIN, NUM_TEST, NUM_UNLABELLED = 65, 9, 300
# How far things are turned, in degrees: hats are worn and torches held upright, more or less.
_MAX_ANGLES = {"Hat": 25, "Cube": 20, "Card": 50, "Torch": 30, "Screw": 60}
# By number and not by chance, so that another seed's pictures take the place of these.
_EVERY_PNG = 10
# NumPy and OpenCV let go of Python's lock.
_NUM_THREADS = 4


@dataclass(frozen=True, slots=True)
class DemoSet:
    """What was drawn into a folder."""

    folder: Path  # holds train/ and test/ with class folders, and unlabelled/
    classes: tuple[str, ...]
    num_train: int
    num_test: int
    truth: Mapping[str, str]  # what the unlabelled pictures show, by file name


@dataclass(frozen=True, slots=True)
class _Picture:
    """One file to draw."""

    path: Path
    shows: str
    seed: tuple[int, int, int]


def draw_demo(folder: Path, *, seed: int = 0) -> DemoSet:
    """Draw the demo's pictures; the same seed gives the same files, over those of an earlier run.

    Args:
        folder: where `train/<Class>/`, `test/<Class>/`, `unlabelled/` and `unlabelled-truth.csv` are to be.
        seed: at least 0; another one gives other pictures under the same names.
    """
    unlabelled = _unlabelled(folder / "unlabelled", seed)
    pictures = [
        *_labelled(folder / "train", NUM_TRAIN, (seed, 0)),
        *_labelled(folder / "test", NUM_TEST, (seed, 1)),
        *unlabelled,
    ]
    for parent in {picture.path.parent for picture in pictures}:
        parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_NUM_THREADS) as threads:
        list(threads.map(_draw, pictures))
    truth = {picture.path.name: picture.shows for picture in unlabelled}
    _write_truth(folder / "unlabelled-truth.csv", truth)
    return DemoSet(folder, tuple(DRAWERS), NUM_TRAIN, NUM_TEST, truth)


def _labelled(folder: Path, num_pictures: int, seed: tuple[int, int]) -> list[_Picture]:
    """Plan pictures in class folders, as many of each class as there can be."""
    classes = tuple(DRAWERS)
    pictures = []
    for number in range(num_pictures):
        name = classes[number % len(classes)]
        file = f"{name.lower()}-{number // len(classes) + 1:02}{_ending(number)}"
        pictures.append(_Picture(folder / name / file, name, (*seed, number)))
    return pictures


def _unlabelled(folder: Path, seed: int) -> list[_Picture]:
    """Plan pictures in one folder, in an order that gives nothing away."""
    classes = tuple(DRAWERS)
    order = np.random.default_rng([seed, 2]).permutation(NUM_UNLABELLED) % len(classes)
    return [
        _Picture(folder / f"picture-{number + 1:03}{_ending(number)}", classes[index], (seed, 3, number))
        for number, index in enumerate(order.tolist())
    ]


def _ending(number: int) -> str:
    return ".jpg" if (number + 1) % _EVERY_PNG else ".png"


def _draw(picture: _Picture) -> None:
    import cv2  # noqa: PLC0415 - a command line must not wait for it

    rng = np.random.default_rng(picture.seed)
    image_rgb = draw_scene(DRAWERS[picture.shows](rng), rng, max_angle=_MAX_ANGLES[picture.shows])
    quality = int(rng.integers(70, 96))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture.path.suffix == ".jpg" else []
    _, data = cv2.imencode(picture.path.suffix, np.ascontiguousarray(image_rgb[..., ::-1]), options)
    picture.path.write_bytes(data.tobytes())


def _write_truth(path: Path, truth: Mapping[str, str]) -> None:
    """Write a manifest, so that `evaluate --on` takes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "label"))
        writer.writerows((f"unlabelled/{name}", label) for name, label in truth.items())
