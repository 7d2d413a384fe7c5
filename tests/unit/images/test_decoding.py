import io
import subprocess
import sys
import threading

import numpy as np
import pytest
import tifffile
from pictures import as_pillow_sees, encoded, saved, scene
from PIL import Image, ImageOps

from core.errors import InputError
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits

EXTENSIONS = [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif"]
WEBP_LOSSLESS = (64, 101)  # cv2.IMWRITE_WEBP_QUALITY above 100
PROGRESSIVE = (2, 1)  # cv2.IMWRITE_JPEG_PROGRESSIVE
WITH_RESTARTS = (4, 2)  # cv2.IMWRITE_JPEG_RST_INTERVAL


@pytest.fixture
def decoder():
    return Decoder(ImageLimits(max_bytes=10**8, max_pixels=10**6))


def differs_by(decoder, data, expected):
    image = decoder.decode(data)
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    return int(np.abs(image.astype(int) - expected).max())


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff"])
def test_lossless_formats_come_back_as_they_were_in_rgb(decoder, extension):
    assert differs_by(decoder, encoded(scene(), extension), scene()) == 0


@pytest.mark.parametrize(
    ("extension", "parameters"),
    [
        (".jpg", ()),
        (".jpg", PROGRESSIVE),
        (".jpg", WITH_RESTARTS),
        (".webp", ()),
        (".webp", WEBP_LOSSLESS),
        (".gif", ()),
    ],
)
def test_every_other_format_is_what_another_library_makes_of_it(decoder, extension, parameters):
    data = encoded(scene(), extension, *parameters)

    # Chroma is interpolated differently by the two libraries.
    assert differs_by(decoder, data, as_pillow_sees(data)) <= 8


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 7), (7, 1), (3, 3)])
def test_tiny_images_of_every_format_are_decoded(decoder, extension, size_hw):
    data = saved(Image.fromarray(scene(*size_hw)), {".jpg": "JPEG", ".tiff": "TIFF"}.get(extension, extension[1:]))

    assert decoder.decode(data).shape == (*size_hw, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_exif_orientation_is_applied(decoder, image_format, orientation, mode):
    if (image_format, mode) == ("JPEG", "RGBA"):
        mode = "CMYK"
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"lossless": True} if image_format == "WEBP" else {"quality": 95} if image_format == "JPEG" else {}
    data = saved(Image.fromarray(scene()).convert(mode), image_format, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")

    assert differs_by(decoder, data, np.asarray(upright)) <= 4


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_transparent_parts_are_laid_on_white(decoder, image_format):
    alpha = np.linspace(0, 255, 64).astype(np.uint8) * np.ones((48, 1), np.uint8)
    image = Image.fromarray(np.dstack([scene(), alpha]))
    data = saved(image, image_format, **({"lossless": True, "exact": True} if image_format == "WEBP" else {}))

    assert differs_by(decoder, data, as_pillow_sees(data)) <= 1
    assert (decoder.decode(data)[:, 0] == 255).all()


@pytest.mark.parametrize("num_bits", [8, 16])
def test_alpha_that_a_tiff_has_multiplied_into_its_colours_is_not_applied_twice(decoder, num_bits):
    alpha = np.full((48, 64, 1), 2**num_bits // 4, np.uint32)
    colours = np.full((48, 64, 3), 2**num_bits // 8, np.uint32)
    samples = np.dstack([colours, alpha]).astype(f"uint{num_bits}")
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", extrasamples=["assocalpha"])

    assert differs_by(decoder, file.getvalue(), np.full((48, 64, 3), 255 - 64 + 32)) <= 1


@pytest.mark.parametrize("num_bits", [8, 16])
def test_fourth_channel_of_a_tiff_that_need_not_be_alpha_is_left_out(decoder, num_bits):
    samples = np.dstack([scene(), np.zeros((48, 64), np.uint8)]).astype(f"uint{num_bits}") * (
        1 if num_bits == 8 else 257
    )
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", extrasamples=["unspecified"])

    assert differs_by(decoder, file.getvalue(), scene()) <= 1


@pytest.mark.parametrize("image_format", ["PNG", "GIF"])
def test_palette_images_are_decoded_with_and_without_transparency(decoder, image_format):
    palette = Image.fromarray(scene()).quantize(32)
    plain, transparent = saved(palette, image_format), saved(palette, image_format, transparency=3)

    assert differs_by(decoder, plain, np.asarray(palette.convert("RGB"))) == 0
    assert differs_by(decoder, transparent, as_pillow_sees(transparent)) == 0
    assert not np.array_equal(decoder.decode(plain), decoder.decode(transparent))


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_png_becomes_rgb(decoder, mode):
    data = saved(Image.fromarray(scene()).convert(mode), "PNG")

    assert differs_by(decoder, data, as_pillow_sees(data)) == 0


def test_grey_that_a_png_declares_transparent_is_white(decoder):
    grey = np.full((4, 4), 100, np.uint8)
    grey[0, 0] = 7
    image = decoder.decode(saved(Image.fromarray(grey), "PNG", transparency=7))

    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[1, 1].tolist() == [100, 100, 100]


def test_transparent_black_of_a_one_bit_png_is_white(decoder):
    data = saved(Image.fromarray(np.eye(8, dtype=bool)), "PNG", transparency=0)

    assert (decoder.decode(data) == 255).all()


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(decoder, image_format):
    data = saved(
        Image.fromarray(scene()).convert("CMYK"), image_format, **({"quality": 95} if image_format == "JPEG" else {})
    )

    assert differs_by(decoder, data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))) <= 1


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [np.s_[:, :, 0], np.s_[:, :, :3], np.s_[:]])
def test_sixteen_bits_become_their_upper_eight(decoder, extension, channels):
    samples = np.random.default_rng(5).integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    samples[..., 3] = 65535
    expected = samples[..., :3] >> 8 if channels != np.s_[:, :, 0] else np.repeat(samples[..., :1] >> 8, 3, axis=2)

    # OpenCV rounds where a TIFF does not say what its fourth channel is.
    assert differs_by(decoder, encoded(samples[channels], extension), expected) <= (extension == ".tiff")


@pytest.mark.parametrize("scale", [1.0, 255.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_tiff_of_either_range_is_decoded(decoder, scale, dtype):
    data = encoded((scene() / 255 * scale).astype(dtype), ".tiff")

    assert differs_by(decoder, data, scene()) <= 1


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_of_several_is_taken(decoder, image_format):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = saved(frames[0], image_format, save_all=True, append_images=frames[1:], **options)

    assert differs_by(decoder, data, np.asarray(frames[0])) == 0


def test_pixels_pass_through(decoder):
    assert decoder.decode(scene()) is not None
    np.testing.assert_array_equal(decoder.decode(scene()), scene())


def test_random_damage_is_an_input_error_or_an_image_and_nothing_else(decoder):
    generator = np.random.default_rng(11)
    for extension in EXTENSIONS:
        data = encoded(scene(16, 16), extension)
        for _ in range(200):
            damaged = bytearray(data)
            for position in generator.integers(0, len(data), 3):
                damaged[position] = generator.integers(0, 256)
            try:
                image = decoder.decode(bytes(damaged))
            except InputError:
                continue
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert image.dtype == np.uint8


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".gif", ".bmp"])
def test_bytes_behind_the_end_of_an_image_do_no_harm(decoder, extension):
    data = encoded(scene(), extension)

    np.testing.assert_array_equal(decoder.decode(data + b"appended" * 9), decoder.decode(data))


def test_pixel_limit_reaches_opencv_itself_in_a_fresh_process():
    program = """
import numpy as np
from workers.ml.opencv import import_opencv
cv2 = import_opencv(100)
data = cv2.imencode(".png", np.zeros((11, 11, 3), np.uint8))[1]
try:
    cv2.imdecode(data, cv2.IMREAD_COLOR)
except cv2.error as error:
    print("CV_IO_MAX_IMAGE_PIXELS" in str(error), cv2.getNumThreads())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["True", "1"]


def test_decoder_is_not_the_one_who_imports_opencv_until_an_image_comes():
    program = (
        "import sys; import workers.ml.decoding, workers.ml.resizing, workers.reading; print('cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"


def test_threads_share_a_decoder(decoder):
    data = {extension: encoded(scene(), extension) for extension in EXTENSIONS}
    alone = {extension: decoder.decode(value) for extension, value in data.items()}
    wrong = []

    def decode_all():
        for _ in range(20):
            wrong.extend(key for key, value in data.items() if not np.array_equal(decoder.decode(value), alone[key]))

    threads = [threading.Thread(target=decode_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
