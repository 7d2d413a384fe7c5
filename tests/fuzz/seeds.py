"""Whole images in every supported format and in many of its variants, made here: what mutations begin with."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 72, 96

Encode = Callable[[np.ndarray], bytes]


def make_picture(number: int) -> np.ndarray:
    """Shapes on a gradient, different for each number; (H, W, 3) uint8 RGB."""
    random = np.random.default_rng([7, number])
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    colours = random.integers(0, 256, (2, 3))
    share = ((rows / HEIGHT + columns / WIDTH) / 2)[..., None]
    picture = np.ascontiguousarray((colours[0] * share + colours[1] * (1 - share)).astype(np.uint8))
    for _ in range(4):
        centre = int(random.integers(WIDTH)), int(random.integers(HEIGHT))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        cv2.circle(picture, centre, int(random.integers(5, 25)), colour, -1)
    return picture


def make_seeds() -> dict[str, bytes]:
    """Images by format and variant, such as `png-grey`."""
    picture = make_picture(0)
    return {f"{form}-{variant}": encode(picture) for form, variant, encode in _variants()}


def pillow(form: str, *, mode: str = "RGB", num_frames: int = 1, **options: object) -> Encode:
    """Pillow's encoder."""

    def encode(picture: np.ndarray) -> bytes:
        frames = [Image.fromarray(np.roll(picture, 8 * frame, axis=1)).convert(mode) for frame in range(num_frames)]
        more = {"save_all": True, "append_images": frames[1:]} if num_frames > 1 else {}
        file = io.BytesIO()
        frames[0].save(file, form, **options, **more)
        return file.getvalue()

    return encode


def opencv(
    extension: str, *parameters: int, change: Callable[[np.ndarray], np.ndarray] = lambda image: image
) -> Encode:
    """OpenCV's encoder."""

    def encode(picture: np.ndarray) -> bytes:
        done, data = cv2.imencode(extension, change(picture[..., ::-1]), parameters)
        assert done
        return data.tobytes()

    return encode


def _variants() -> Iterator[tuple[str, str, Encode]]:
    exif = Image.Exif()
    exif[274] = 6
    yield from (
        ("jpeg", "plain", pillow("JPEG", quality=85)),
        ("jpeg", "progressive", pillow("JPEG", quality=70, progressive=True)),
        ("jpeg", "grey", pillow("JPEG", mode="L")),
        ("jpeg", "cmyk", pillow("JPEG", mode="CMYK")),
        ("jpeg", "turned", pillow("JPEG", exif=exif, icc_profile=bytes(3000))),
        ("jpeg", "restarts", opencv(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        ("png", "plain", pillow("PNG")),
        ("png", "grey", pillow("PNG", mode="L")),
        ("png", "alpha", pillow("PNG", mode="RGBA")),
        ("png", "palette", pillow("PNG", mode="P", transparency=3, exif=exif)),
        ("png", "bilevel", pillow("PNG", mode="1")),
        ("png", "deep", opencv(".png", change=_deep)),
        ("png", "animated", pillow("PNG", num_frames=3)),
        ("png", "interlaced", _interlaced_png),
        ("webp", "lossy", pillow("WEBP", quality=70)),
        ("webp", "lossless", pillow("WEBP", lossless=True)),
        ("webp", "alpha", pillow("WEBP", mode="RGBA", exif=exif)),
        ("webp", "animated", pillow("WEBP", num_frames=3)),
        ("tiff", "plain", pillow("TIFF")),
        ("tiff", "lzw", pillow("TIFF", compression="tiff_lzw")),
        ("tiff", "deflate", pillow("TIFF", compression="tiff_adobe_deflate")),
        ("tiff", "jpeg", pillow("TIFF", compression="jpeg")),
        ("tiff", "fax", pillow("TIFF", mode="1", compression="group4")),
        ("tiff", "packbits", pillow("TIFF", mode="L", compression="packbits")),
        ("tiff", "cmyk", pillow("TIFF", mode="CMYK")),
        ("tiff", "palette", pillow("TIFF", mode="P")),
        ("tiff", "pages", pillow("TIFF", num_frames=3)),
        ("tiff", "deep", opencv(".tiff", change=_deep)),
        ("tiff", "floats", opencv(".tiff", change=lambda image: (image / 255).astype(np.float32))),
        ("gif", "plain", pillow("GIF")),
        ("gif", "transparent", pillow("GIF", mode="P", transparency=5)),
        ("gif", "animated", pillow("GIF", num_frames=4, duration=40, loop=0)),
        ("bmp", "plain", pillow("BMP")),
        ("bmp", "palette", pillow("BMP", mode="P")),
        ("bmp", "bilevel", pillow("BMP", mode="1")),
        ("bmp", "alpha", pillow("BMP", mode="RGBA")),
        ("bmp", "runs", _run_length_bmp),
    )


def _deep(image: np.ndarray) -> np.ndarray:
    return image.astype(np.uint16) * 257


def _interlaced_png(picture: np.ndarray) -> bytes:
    """Adam7, which neither library writes. Source: PNG 1.2, section 2.6."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [
        b"\0" + row.tobytes()
        for left, top, step_x, step_y in passes
        for row in np.ascontiguousarray(picture[top::step_y, left::step_x])
    ]
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _run_length_bmp(picture: np.ndarray) -> bytes:
    """RLE8, which neither library writes: a run of one pixel after the other, each row with its end."""
    grey = picture[::-1, :, 1]
    pixels = b"".join(b"".join(bytes((1, value)) for value in row.tolist()) + b"\0\0" for row in grey) + b"\0\1"
    palette = b"".join(bytes((value, value, value, 0)) for value in range(256))
    start = 54 + len(palette)
    header = struct.pack("<2sIII", b"BM", start + len(pixels), 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    return header + info + palette + pixels
