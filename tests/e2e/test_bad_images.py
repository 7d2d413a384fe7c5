"""A bad image is a row of its own, and harms no other."""

import csv
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from program import MODEL, Cli

NUM_IMAGES, NUM_BAD_OF_EACH_KIND = 2000, 20
MAX_BYTES = 300_000


def jpeg() -> bytes:
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that unpack to very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def large_noise() -> bytes:
    picture = np.random.default_rng(2).integers(0, 256, (400, 400, 3), np.uint8)
    return cv2.imencode(".png", picture)[1].tobytes()


# What each kind of bad file is called, holds, and must be reported as.
BAD_FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "text": ("jpg", lambda: b"This is a letter, not a picture.\n" * 9, "not_an_image"),
    "empty": ("png", lambda: b"", "empty_file"),
    "cut": ("jpg", lambda: jpeg()[:-200], "truncated"),
    "cutpng": ("png", lambda: cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()[:-30], "truncated"),
    "bomb": ("png", lambda: png_that_claims(60_000, 60_000), "too_many_pixels"),
    "huge": ("png", large_noise, "too_many_bytes"),
    "heic": ("jpg", lambda: b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100), "unsupported_format"),
    "vector": ("png", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
}


def test_200_bad_images_among_2000_are_200_error_rows_with_their_reasons(
    cli: Cli, make_photographs: Callable[[Path, int], Path]
):
    num_bad = NUM_BAD_OF_EACH_KIND * (len(BAD_FILES) + 2)
    folder = make_photographs(cli.cwd / "photographs", NUM_IMAGES - num_bad)
    expected: dict[str, str] = {}
    for kind, (ending, make, reason) in BAD_FILES.items():
        for number in range(NUM_BAD_OF_EACH_KIND):
            # Spread among the good ones, so that every chunk holds some.
            name = f"{number * 90:05d}-{kind}.{ending}"
            (folder / name).write_bytes(make())
            expected[f"photographs/{name}"] = reason
    for number in range(NUM_BAD_OF_EACH_KIND):
        name = f"{number * 90:05d}-gone.jpg"
        (folder / name).symlink_to(folder / "nothing.jpg")
        expected[f"photographs/{name}"] = "not_found"
        expected[f"shapes.npy#{number}"] = "wrong_shape"
    np.save(cli.cwd / "shapes.npy", np.zeros((NUM_BAD_OF_EACH_KIND, 32, 32, 4), np.uint8))

    done = cli(
        "label",
        "photographs",
        "shapes.npy",
        "--model",
        MODEL,
        "--out",
        "o.csv",
        LABELYARD_MAX_IMAGE_BYTES=str(MAX_BYTES),
    )
    assert done.returncode == 0, done.stderr
    with (cli.cwd / "o.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["image"] for row in rows}) == NUM_IMAGES
    found = {row["image"]: row["error"].partition(":")[0] for row in rows if row["error"]}
    assert found == expected
    assert Counter(bool(row["label"]) for row in rows) == {True: NUM_IMAGES - num_bad, False: num_bad}
    assert all(len(row["error"].partition(": ")[2]) > 20 for row in rows if row["error"]), "a sentence says more"
