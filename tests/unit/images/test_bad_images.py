import struct
import zlib

import numpy as np
import pytest
from pictures import encoded, saved, scene
from PIL import Image

from core.errors import InputError
from core.types import Reason
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits

EXTENSIONS = [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif"]
PROGRESSIVE = (2, 1)  # cv2.IMWRITE_JPEG_PROGRESSIVE
WITH_RESTARTS = (4, 2)  # cv2.IMWRITE_JPEG_RST_INTERVAL


@pytest.fixture
def decoder():
    return Decoder(ImageLimits(max_bytes=10**8, max_pixels=10**6))


def reason_of(decoder, data):
    with pytest.raises(InputError) as caught:
        decoder.decode(data)
    assert caught.value.detail.endswith((".", ")."))
    return caught.value.reason


@pytest.mark.parametrize("samples", [np.full((4, 4), np.nan, np.float32), np.full((4, 4), -3, np.float32)])
def test_float_tiff_without_colours_is_refused(decoder, samples):
    assert reason_of(decoder, encoded(samples, ".tiff")) is Reason.UNSUPPORTED_FORMAT


def test_tiff_with_signed_samples_is_refused_rather_than_guessed_at(decoder):
    assert reason_of(decoder, encoded(np.full((4, 4), 90, np.int16), ".tiff")) is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("share", [0.999, 0.99, 0.9, 0.5, 0.2])
def test_file_that_was_cut_off_is_truncated_wherever_the_cut_is(decoder, extension, share):
    data = encoded(scene(200, 300), extension)

    assert reason_of(decoder, data[: int(len(data) * share)]) is Reason.TRUNCATED


@pytest.mark.parametrize("parameters", [(), PROGRESSIVE, WITH_RESTARTS, (*PROGRESSIVE, *WITH_RESTARTS)])
def test_jpeg_without_its_end_mark_is_truncated_even_where_opencv_takes_it(decoder, parameters):
    assert reason_of(decoder, encoded(scene(), ".jpg", *parameters)[:-2]) is Reason.TRUNCATED


def test_png_without_its_end_chunk_is_truncated(decoder):
    assert reason_of(decoder, encoded(scene(), ".png")[:-12]) is Reason.TRUNCATED


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_tiff_that_ends_within_its_strips_is_truncated(decoder, compression):
    data = saved(Image.fromarray(scene(200, 300)), "TIFF", compression=compression)

    assert decoder.decode(data).shape == (200, 300, 3)
    assert reason_of(decoder, data[:-5]) is Reason.TRUNCATED


def test_every_prefix_of_every_format_is_an_input_error_and_nothing_else(decoder):
    for extension in EXTENSIONS:
        data = encoded(scene(8, 8), extension)
        for length in range(len(data)):
            reason = reason_of(decoder, data[:length])
            assert reason in (Reason.EMPTY_FILE, Reason.NOT_AN_IMAGE, Reason.TRUNCATED, Reason.CORRUPT), (
                extension,
                length,
            )


def test_jpeg_whose_thumbnail_is_whole_but_whose_picture_is_cut_is_truncated(decoder):
    thumbnail = encoded(scene(8, 8), ".jpg")
    segment = b"Exif\0\0" + thumbnail
    data = encoded(scene(), ".jpg")
    with_thumbnail = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]

    assert decoder.decode(with_thumbnail).shape == scene().shape
    assert reason_of(decoder, with_thumbnail[:-100]) is Reason.TRUNCATED


def test_empty_file_says_so(decoder):
    assert reason_of(decoder, b"") is Reason.EMPTY_FILE


@pytest.mark.parametrize("data", [b"a", b"\0" * 5000, b"<html><body>404</body></html>", b"BM is how this text begins"])
def test_what_is_no_image_says_so(decoder, data):
    assert reason_of(decoder, data) is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("image_format", ["PPM", "ICO", "JPEG2000", "AVIF", "PDF"])
def test_unsupported_format_is_named_though_opencv_might_read_it(decoder, image_format):
    data = saved(Image.fromarray(scene()), image_format)

    with pytest.raises(InputError, match=r"^The file is .*; expected JPEG, PNG") as caught:
        decoder.decode(data)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}])
def test_camera_raw_is_refused_instead_of_labelled_by_its_thumbnail(decoder, tags):
    data = saved(Image.fromarray(scene()), "TIFF", tiffinfo=tags)

    with pytest.raises(InputError, match="camera raw"):
        decoder.decode(data)


def test_damaged_png_is_corrupt(decoder):
    data = bytearray(encoded(scene(), ".png"))
    data[len(data) // 2] ^= 1

    assert reason_of(decoder, bytes(data)) is Reason.CORRUPT


def test_jpeg_without_a_picture_is_corrupt_or_truncated(decoder):
    assert reason_of(decoder, b"\xff\xd8\xff\xd9" + b"\xff\xd9" * 50) in (Reason.CORRUPT, Reason.TRUNCATED)


def bomb_png(height, width):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_image_of_too_many_pixels_is_refused_in_every_format(extension):
    decoder = Decoder(ImageLimits(max_bytes=10**8, max_pixels=48 * 64 - 1))

    assert reason_of(decoder, encoded(scene(), extension)) is Reason.TOO_MANY_PIXELS
    assert decoder.decode(encoded(scene(48, 63), extension)).shape == (48, 63, 3)


@pytest.mark.parametrize("size_hw", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (1, 2**30)])
def test_decompression_bomb_is_refused_before_anything_is_unpacked(decoder, size_hw):
    assert reason_of(decoder, bomb_png(*size_hw)) is Reason.TOO_MANY_PIXELS


def test_image_without_pixels_is_corrupt(decoder):
    assert reason_of(decoder, bomb_png(0, 5)) is Reason.CORRUPT


def test_png_of_a_depth_that_does_not_exist_is_corrupt(decoder):
    data = bytearray(saved(Image.fromarray(scene()).convert("L"), "PNG", transparency=3))
    data[24] = 0

    assert reason_of(decoder, bytes(data)) is Reason.CORRUPT


def test_png_that_packs_far_more_than_its_pixels_is_refused_before_it_is_unpacked(decoder):
    pixels = zlib.compress(bytes(10**8))
    data = bomb_png(8, 8)
    position = data.index(b"IDAT")
    end = data.index(b"IEND") - 4
    body = b"IDAT" + pixels
    bomb = data[: position - 4] + struct.pack(">I", len(pixels)) + body + struct.pack(">I", zlib.crc32(body))

    with pytest.raises(InputError, match=r"packs \d+ bytes for 8 x 8 pixels"):
        decoder.decode(bomb + data[end:])


def test_png_of_noise_is_not_taken_for_one_that_packs_too_much(decoder):
    noise = np.random.default_rng(0).integers(0, 2**16, (400, 400, 4), np.uint16)

    assert decoder.decode(encoded(noise, ".png", 16, 0)).shape == (400, 400, 3)


def test_progressive_jpeg_of_very_many_scans_is_refused(decoder):
    data = encoded(scene(), ".jpg", *PROGRESSIVE)
    last_scan = data[data.rindex(b"\xff\xda") : -2]

    assert decoder.decode(data[:-2] + last_scan * 20 + data[-2:]).shape == scene().shape
    assert reason_of(decoder, data[:-2] + last_scan * 200 + data[-2:]) is Reason.CORRUPT


def test_what_is_behind_a_picture_does_not_make_it_another_one(decoder):
    """A polyglot is what its first bytes say, whatever other readers make of it."""
    picture = scene()
    for extension in EXTENSIONS:
        data = encoded(picture, extension)
        alone = decoder.decode(data)
        for tail in (encoded(np.zeros((9, 9, 3), np.uint8), ".png"), b"%PDF-1.7\n", b"PK\3\4", b"<svg></svg>"):
            assert np.array_equal(decoder.decode(data + tail), alone), (extension, tail[:8])


def planar(samples: np.ndarray) -> bytes:
    """A TIFF with a plane for each colour, (H, W, 3), as TIFF 6.0 lays it out; none of our libraries writes one."""
    height, width, num_colours = samples.shape
    planes = [samples[..., colour].astype(samples.dtype.newbyteorder("<")).tobytes() for colour in range(num_colours)]
    num_tags = 11
    values_at = 8 + 2 + 12 * num_tags + 4
    data_at = values_at + 6 + 12 + 12 + 6
    offsets = [data_at + sum(map(len, planes[:colour])) for colour in range(num_colours)]
    sample_format = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, num_colours, values_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, num_colours, values_at + 6),
        (277, 3, 1, num_colours),
        (278, 4, 1, height),
        (279, 4, num_colours, values_at + 18),
        (284, 3, 1, 2),
        (339, 3, num_colours, values_at + 30),
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, num_tags) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    values = struct.pack("<I3H", 0, *[8 * samples.dtype.itemsize] * 3)
    values += struct.pack("<3I3I", *offsets, *map(len, planes)) + struct.pack("<3H", *[sample_format] * 3)
    return head + values + b"".join(planes)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_a_tiff_with_deep_planes_is_refused_because_opencv_makes_them_up(decoder: Decoder, dtype: type):
    assert reason_of(decoder, planar(scene().astype(dtype))) is Reason.UNSUPPORTED_FORMAT


def test_a_tiff_with_planes_of_bytes_is_decoded(decoder: Decoder):
    assert np.array_equal(decoder.decode(planar(scene())), scene())
