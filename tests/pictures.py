"""Pictures for tests, made on the spot."""

import io
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
