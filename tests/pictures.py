"""Pictures for tests, made on the spot."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth picture without any symmetry, (H, W, 3) uint8 RGB."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return (np.stack([across, down, (across * (1 - down)) ** 2], axis=-1) * 250).astype(np.uint8)


def encoded(image_rgb: np.ndarray, extension: str, *parameters: int) -> bytes:
    """Write a picture as OpenCV does."""
    channels = {2: image_rgb, 3: image_rgb[..., ::-1]}.get(
        image_rgb.ndim if image_rgb.ndim == 2 else image_rgb.shape[2]
    )
    if channels is None:
        channels = image_rgb[..., [2, 1, 0, 3]]
    done, data = cv2.imencode(extension, np.ascontiguousarray(channels), list(parameters))
    assert done
    return data.tobytes()


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """Write a picture as Pillow does."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def as_pillow_sees(data: bytes) -> np.ndarray:
    """Decode with another library, transparent parts laid on white."""
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def write_photographs(folder: Path, num_images: int) -> Path:
    """Make a folder of small pictures, each different."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(num_images):
        picture = random.integers(0, 256, (12, 12, 3), np.uint8)
        picture = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), picture)
    return folder


def write_labelled_pictures(folder: Path, *, num_images: int, names: tuple[str, ...] = ("blue", "red")) -> Path:
    """Make a dataset of class folders: noise on one colour for each class."""
    colours = {"red": (0, 0, 200), "blue": (200, 0, 0), "white": (220, 220, 220)}  # BGR
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(num_images):
            noise = random.integers(-30, 30, (48, 64, 3))
            image = np.clip(np.array(colours[name]) + noise, 0, 255).astype(np.uint8)
            assert cv2.imwrite(str(folder / name / f"{number:02d}.png"), image)
    return folder
