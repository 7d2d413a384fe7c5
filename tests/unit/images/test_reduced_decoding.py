"""Large JPEGs decoded at a fraction of their size: colours, edges and damage are those of the whole image."""

import struct

import cv2
import numpy as np
import pytest
from pictures import encoded, saved, scene
from PIL import Image

from core.errors import InputError
from core.items import FileLocator
from core.preprocessing import PreprocessingContract
from core.types import Reason, ResizeMode
from workers.access import Access
from workers.images.loading import ImageLoader
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits
from workers.ml.resizing import Picture, largest_reduction, prepare
from workers.reading import ItemReader

LIMITS = ImageLimits(max_bytes=10**8, max_pixels=10**7)
INPUT = (224, 224)
PROGRESSIVE = (2, 1)  # cv2.IMWRITE_JPEG_PROGRESSIVE
WITH_RESTARTS = (4, 2)  # cv2.IMWRITE_JPEG_RST_INTERVAL


@pytest.fixture
def decoder():
    return Decoder(LIMITS)


def stretched_to(height, width):
    return PreprocessingContract((height, width), ResizeMode.STRETCH)


def waves(height, width):
    """A smooth pattern that is wrong by many grey levels when it is a little out of place, (H, W, 3) uint8 RGB."""
    down, across = np.mgrid[0:height, 0:width] / min(height, width)
    channels = [np.sin(40 * down), np.sin(40 * across), np.sin(30 * (down + across))]
    return (128 + 100 * np.stack(channels, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("mode", "progressive"), [("RGB", False), ("RGB", True), ("L", False), ("CMYK", False)])
def test_reduced_jpeg_is_the_whole_one_but_smaller(decoder, reduction, orientation, mode, progressive):
    exif = Image.Exif()
    exif[0x112] = orientation
    image = Image.fromarray(scene(403, 645)).convert(mode)
    data = saved(image, "JPEG", exif=exif, quality=95, progressive=progressive)
    whole = decoder.decode(data)

    picture = decoder.decode_for(data, [stretched_to(400 // (4 * reduction), 400 // (4 * reduction))])

    assert picture.reduction == reduction
    assert picture.full_hw == whole.shape[:2]
    small_hw = -(-whole.shape[0] // reduction), -(-whole.shape[1] // reduction)
    assert picture.image_rgb.shape == (*small_hw, 3)
    expected = cv2.resize(whole, small_hw[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(picture.image_rgb.astype(int) - expected).max() <= 8


@pytest.mark.parametrize(
    ("full_hw", "mode", "expected"),
    [
        ((375, 500), ResizeMode.CROP, 1),
        ((1279, 4000), ResizeMode.CROP, 1),
        ((1280, 4000), ResizeMode.CROP, 2),
        ((3000, 4000), ResizeMode.CROP, 4),
        ((5119, 6000), ResizeMode.CROP, 4),
        ((5120, 6000), ResizeMode.CROP, 8),
        ((100_000, 100_000), ResizeMode.CROP, 8),
        ((1119, 9000), ResizeMode.STRETCH, 1),
        ((1120, 9000), ResizeMode.STRETCH, 2),
        ((9000, 100), ResizeMode.STRETCH, 1),
        ((1000, 1119), ResizeMode.PAD, 1),
        ((1000, 1120), ResizeMode.PAD, 2),
        ((1, 20_000), ResizeMode.PAD, 1),
    ],
)
def test_reduction_is_the_largest_that_leaves_two_and_a_half_pixels_for_one(full_hw, mode, expected):
    assert largest_reduction(full_hw, [PreprocessingContract(INPUT, mode)]) == expected
    assert largest_reduction(full_hw[::-1], [PreprocessingContract(INPUT, mode)]) == expected


def test_contract_that_needs_most_decides_for_all():
    small, large = PreprocessingContract((64, 64)), PreprocessingContract((331, 331))

    assert largest_reduction((3200, 3200), [small]) == 8
    assert largest_reduction((3200, 3200), [small, large]) == largest_reduction((3200, 3200), [large]) == 2


def test_image_that_may_lie_on_its_side_is_large_enough_for_an_oblong_input_either_way():
    assert largest_reduction((800, 1600), [stretched_to(100, 200)]) == 1
    assert largest_reduction((1600, 1600), [stretched_to(100, 200)]) == 2


@pytest.mark.parametrize("image_hw", [(960, 1300), (963, 1301), (1305, 967), (961, 961)])
@pytest.mark.parametrize("mode", list(ResizeMode))
@pytest.mark.parametrize("size_hw", [(96, 96), (80, 100)])
def test_reduced_image_is_prepared_as_the_whole_one_is_to_the_fraction_of_a_pixel(decoder, image_hw, mode, size_hw):
    contract = PreprocessingContract(size_hw, mode)
    data = encoded(waves(*image_hw), ".jpg")
    picture = decoder.decode_for(data, [contract])
    assert picture.reduction > 1

    difference = np.abs(prepare(picture, contract).astype(int) - prepare(decoder.decode(data), contract))

    assert difference.mean() < 0.5


def test_reduced_image_is_written_where_it_was_told_to(decoder):
    data = encoded(waves(400, 600), ".jpg")
    for mode in ResizeMode:
        contract = PreprocessingContract((24, 24), mode)
        picture = decoder.decode_for(data, [contract])
        batch = np.full((3, 24, 24, 3), 77, np.uint8)

        assert prepare(picture, contract, batch[1]) is not None
        np.testing.assert_array_equal(batch[1], prepare(picture, contract))
        assert (batch[[0, 2]] == 77).all()


def test_image_is_whole_where_nothing_is_said_of_its_use(decoder):
    data = encoded(scene(400, 600), ".jpg")

    assert decoder.decode(data).shape == (400, 600, 3)
    assert decoder.decode_for(data, []).image_rgb.shape == (400, 600, 3)


@pytest.mark.parametrize("extension", [".png", ".webp", ".bmp", ".tiff", ".gif"])
def test_only_jpegs_are_reduced(decoder, extension):
    picture = decoder.decode_for(encoded(scene(400, 600), extension), [stretched_to(8, 8)])

    assert (picture.reduction, picture.full_hw, picture.image_rgb.shape) == (1, (400, 600), (400, 600, 3))


def lossless_jpeg(height, width):
    """A grey area as lossless RGB, which hardly any program writes. Source: ITU-T T.81, annex H."""

    def segment(marker, body):
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    one_code_for_no_difference = bytes([0, 1, *[0] * 15, 0])
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    return (
        b"\xff\xd8"
        + segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0))
        + segment(0xC4, one_code_for_no_difference)
        + segment(0xC3, frame)
        + segment(0xDA, b"\3\1\0\2\0\3\0\1\0\0")
        + bytes(height * width * 3 // 8)
        + b"\xff\xd9"
    )


def test_lossless_jpeg_is_known_to_be_whole_though_it_was_asked_for_at_a_fraction(decoder):
    picture = decoder.decode_for(lossless_jpeg(400, 600), [stretched_to(8, 8)])

    assert (picture.reduction, picture.full_hw, picture.image_rgb.shape) == (1, (400, 600), (400, 600, 3))


def test_every_reduced_shape_fills_the_input_to_its_edges():
    random = np.random.default_rng(0)
    for _ in range(1000):
        size_hw, full_hw = random.integers(1, 60, 2).tolist(), random.integers(1, 2000, 2).tolist()
        contract = PreprocessingContract(
            tuple(size_hw), ResizeMode.CROP if random.random() < 0.5 else ResizeMode.STRETCH
        )
        reduction = largest_reduction(tuple(full_hw), [contract])
        reduced = np.full((-(-full_hw[0] // reduction), -(-full_hw[1] // reduction), 3), 99, np.uint8)

        prepared = prepare(Picture(reduced, tuple(full_hw), reduction), contract)

        assert prepared.shape == (*size_hw, 3)
        assert (prepared == 99).all()


def test_pixels_that_need_no_decoding_stay_whole(decoder):
    pixels = scene(400, 600)

    assert decoder.decode_for(pixels, [stretched_to(8, 8)]).image_rgb is pixels


def test_limit_is_on_what_the_file_holds_and_not_on_what_is_left_of_it():
    decoder = Decoder(ImageLimits(max_bytes=10**8, max_pixels=400 * 600 - 1))

    with pytest.raises(InputError) as caught:
        decoder.decode_for(encoded(scene(400, 600), ".jpg"), [stretched_to(8, 8)])
    assert caught.value.reason is Reason.TOO_MANY_PIXELS


def reason_of(decode, *args):
    try:
        decode(*args)
    except InputError as error:
        return error.reason, error.detail
    return None


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("parameters", [(), PROGRESSIVE, WITH_RESTARTS, (*PROGRESSIVE, *WITH_RESTARTS)])
def test_damage_is_found_or_not_found_alike_in_reduced_and_in_whole_jpegs(decoder, reduction, parameters):
    generator = np.random.default_rng(reduction)
    noise = generator.integers(-30, 30, (96, 128, 3))
    data = encoded((scene(96, 128) + noise).clip(0, 255).astype(np.uint8), ".jpg", *parameters)
    contracts = [stretched_to(24 // reduction, 24 // reduction)]
    assert decoder.decode_for(data, contracts).reduction == reduction
    reasons = set()
    for _ in range(150):
        start, end = sorted(generator.integers(2, len(data), 2))
        damaged, broken_header = bytearray(data), bytearray(data)
        for position in generator.integers(0, len(data), 3):
            damaged[position] = generator.integers(0, 256)
        broken_header[generator.integers(2, 700)] = generator.integers(0, 256)
        for bad in (damaged, broken_header, data[:end], data[:end] + b"\xff\xd9", data[:start] + data[end:]):
            reason = reason_of(decoder.decode, bytes(bad))
            assert reason_of(decoder.decode_for, bytes(bad), contracts) == reason
            reasons.add(reason and reason[0])

    assert {None, Reason.CORRUPT, Reason.TRUNCATED} <= reasons


def test_loader_decodes_no_more_of_a_photograph_than_its_contracts_need(decoder, tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded(waves(400, 600), ".jpg"))
    contract = PreprocessingContract((24, 24))
    loader = ImageLoader(ItemReader(LIMITS, Access()), decoder)
    slot = np.empty((24, 24, 3), np.uint8)

    prepared = loader.prepare(FileLocator(str(path)), [contract])[contract]
    loader.fill(path.read_bytes(), {contract: slot})

    expected = prepare(decoder.decode_for(path.read_bytes(), [contract]), contract)
    np.testing.assert_array_equal(prepared, expected)
    np.testing.assert_array_equal(slot, expected)
    assert not np.array_equal(expected, prepare(decoder.decode(path.read_bytes()), contract))
