import cv2
import numpy as np
import pytest
from pictures import scene

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from workers.ml.resizing import prepare


@pytest.mark.parametrize("mode", list(ResizeMode))
@pytest.mark.parametrize(
    "image_hw", [(1, 1), (1, 9), (9, 1), (20_000, 1), (1, 20_000), (224, 224), (500, 375), (30, 700)]
)
@pytest.mark.parametrize("size_hw", [(224, 224), (96, 160), (331, 331)])
def test_every_shape_becomes_the_contracts_size(mode, image_hw, size_hw):
    image = np.full((*image_hw, 3), 77, np.uint8)

    prepared = prepare(image, PreprocessingContract(size_hw, mode))

    assert prepared.shape == (*size_hw, 3)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous
    assert set(np.unique(prepared)) <= ({0, 77} if mode is ResizeMode.PAD else {77})


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_image_that_was_given_is_not_changed(mode):
    image = scene(90, 70)
    image.flags.writeable = False

    prepare(image, PreprocessingContract((32, 32), mode))

    np.testing.assert_array_equal(image, scene(90, 70))


def test_crop_is_the_central_seven_eighths_of_the_short_side_cut_before_the_resize():
    image = scene(80, 120)

    expected = cv2.resize(image[5:75, 25:95], (32, 32), interpolation=cv2.INTER_AREA)

    np.testing.assert_array_equal(prepare(image, PreprocessingContract((32, 32))), expected)


def test_crop_of_a_target_that_is_not_square_has_the_targets_proportions():
    image = np.zeros((80, 120, 3), np.uint8)
    # What the crop should keep: 7/8 of 60 x 120, from the middle.
    image[14:66, 7:112] = 255

    assert (prepare(image, PreprocessingContract((16, 32))) == 255).all()


def test_stretch_keeps_the_whole_image_and_shrinks_over_areas():
    image = scene(80, 120)

    expected = cv2.resize(image, (40, 40), interpolation=cv2.INTER_AREA)

    np.testing.assert_array_equal(prepare(image, PreprocessingContract((40, 40), ResizeMode.STRETCH)), expected)


def test_shrinking_a_fine_pattern_averages_it():
    image = np.zeros((400, 400, 3), np.uint8)
    image[::2] = 255

    prepared = prepare(image, PreprocessingContract((40, 40), ResizeMode.STRETCH))

    assert abs(int(prepared.min()) - 127) <= 2
    assert abs(int(prepared.max()) - 127) <= 2


def test_one_axis_may_shrink_while_the_other_grows():
    image = np.zeros((400, 4, 3), np.uint8)
    image[::2] = 255

    prepared = prepare(image, PreprocessingContract((40, 40), ResizeMode.STRETCH))

    assert abs(int(prepared.min()) - 127) <= 2
    assert abs(int(prepared.max()) - 127) <= 2


def test_enlarging_interpolates_instead_of_repeating_pixels():
    image = np.array([[[0] * 3, [255] * 3]], np.uint8)

    prepared = prepare(image, PreprocessingContract((8, 8), ResizeMode.STRETCH))

    assert len(np.unique(prepared)) > 2


def test_pad_centres_the_whole_image_on_black():
    image = np.full((50, 100, 3), 200, np.uint8)

    prepared = prepare(image, PreprocessingContract((40, 40), ResizeMode.PAD))

    assert (prepared[:10] == 0).all()
    assert (prepared[10:30] == 200).all()
    assert (prepared[30:] == 0).all()
