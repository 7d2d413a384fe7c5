"""Making the images that are measured on out of the test photographs: once, then they stay for the next run.

No two files are equal, not even two of the same photograph: whoever remembers what he has seen gains nothing by it.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from benchmarks import places

CAMERA_SIZE_HW = (3000, 4000)
# What sensors add; without it an enlarged photograph is smoother, and its JPEG smaller, than any camera's.
NOISE_SIGMA = 6.0
CAMERA_QUALITY = 90
BEST_QUALITY = 95
# Every so-manieth image of the training set is new at the second training: 5%.
NEW_EVERY = 20
OTHER_EVERY = 4
# The lists of references, and what share of the images is in each.
MANIFESTS = {"hundredth": 100, "tenth": 10, "all": 1}
IMAGES_PER_FOLDER = 1000


def photographs(num_images: int) -> Path:
    """The test photographs over and over, each time at another JPEG quality; about 60 kB each."""

    def write(number: int, source: Path, target: Path, repetition: int) -> None:
        del number
        _save(target, _read(source), quality=BEST_QUALITY - repetition)

    return _kept(f"photographs-{num_images}", num_images, write)


def camera_photographs(num_images: int) -> Path:
    """As a camera would have taken them: 4000 x 3000, with noise; some 3 MB each."""
    noise = np.empty((*CAMERA_SIZE_HW, 3), np.int16)
    cv2.setRNGSeed(0)
    cv2.randn(noise, (0, 0, 0), (NOISE_SIGMA,) * 3)

    def write(number: int, source: Path, target: Path, repetition: int) -> None:
        image = cv2.resize(_landscape(_read(source)), CAMERA_SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)
        noisy = cv2.add(image, np.roll(noise, 97 * number, axis=0), dtype=cv2.CV_8U)
        _save(target, noisy, quality=CAMERA_QUALITY - repetition)

    return _kept(f"camera-{num_images}", num_images, write)


def manifests(num_images: int) -> Path:
    """Lists of so many references, of a tenth and of a hundredth, named as in `MANIFESTS`; no such image exists."""

    def fill(unfinished: Path) -> None:
        for name, divisor in MANIFESTS.items():
            with (unfinished / f"{name}.txt").open("w") as file:
                file.writelines(
                    f"/photographs/{number // IMAGES_PER_FOLDER:06}/{number:09}.jpg\n"
                    for number in range(num_images // divisor)
                )

    return _once(places.KEPT / f"references-{num_images}", fill)


def insects(*, with_new: bool) -> Path:
    """The training set as it is before and after 5% new images have come."""
    paths = sorted(places.insects("train").glob("*/*"))
    chosen = [path for number, path in enumerate(paths) if with_new or number % NEW_EVERY]
    return _copied("insects-after" if with_new else "insects-before", chosen)


def other_insects() -> Path:
    """A few images, none of which is in the training set."""
    return _copied("insects-other", sorted(places.insects("val").glob("*/*"))[::OTHER_EVERY])


def _copied(name: str, paths: Sequence[Path]) -> Path:
    def fill(unfinished: Path) -> None:
        for path in paths:
            (unfinished / path.parent.name).mkdir(exist_ok=True)
            shutil.copy(path, unfinished / path.parent.name)

    return _once(places.KEPT / name, fill)


def _kept(name: str, num_images: int, write: Callable[[int, Path, Path, int], None]) -> Path:
    def fill(unfinished: Path) -> None:
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(lambda job: write(*job), _jobs(unfinished, num_images)):
                pass

    return _once(places.KEPT / name, fill)


def _jobs(folder: Path, num_images: int) -> Iterator[tuple[int, Path, Path, int]]:
    """A number, the photograph, the file to write, and how often that photograph has been used before."""
    sources = sorted(places.photographs().glob("*.JPEG"))
    for number in range(num_images):
        repetition, position = divmod(number, len(sources))
        source = sources[position]
        yield number, source, folder / f"{source.stem}_{repetition}.jpg", repetition


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Make a folder that is either complete or not there."""
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        fill(unfinished)
        unfinished.rename(folder)
    return folder


def _read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR)


def _save(path: Path, image: np.ndarray, *, quality: int) -> None:
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _landscape(image: np.ndarray) -> np.ndarray:
    """The largest middle part of a camera's proportions."""
    height, width = image.shape[:2]
    target_height, target_width = CAMERA_SIZE_HW
    cut_height = min(height, width * target_height // target_width)
    cut_width = min(width, height * target_width // target_height)
    top, left = (height - cut_height) // 2, (width - cut_width) // 2
    return image[top : top + cut_height, left : left + cut_width]
