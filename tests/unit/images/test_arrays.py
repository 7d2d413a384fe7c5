import io

import numpy as np
import pytest

from core.errors import InputError
from core.types import Reason
from workers.ml.arrays import NUM_SCALE_SAMPLES, check_item, find_scale, from_array, read_header, read_item
from workers.ml.limits import ImageLimits

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**4)


def saved(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    file.seek(0)
    return file


def images(num_items=5, dtype=np.uint8, height=4, width=6):
    return np.random.default_rng(3).integers(0, 256, (num_items, height, width, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", ">f4", "<f8"])
def test_items_are_read_one_by_one(dtype):
    array = images(dtype=np.dtype(dtype))
    file = saved(array)
    header = read_header(file)

    assert header.shape == array.shape
    for index in (4, 0, 2):
        np.testing.assert_array_equal(read_item(file, header, index), array[index])
        np.testing.assert_array_equal(from_array(read_item(file, header, index), 1.0), images()[index])


def test_what_is_no_array_is_a_value_error():
    with pytest.raises(ValueError, match="magic"):
        read_header(io.BytesIO(b"no array at all"))


def test_pickled_objects_are_never_loaded():
    header = read_header(saved(np.array([{}], object), allow_pickle=True))

    with pytest.raises(InputError) as caught:
        check_item(header, 0, LIMITS)
    assert caught.value.reason is Reason.WRONG_SHAPE


def test_item_behind_the_end_of_a_cut_file_is_truncated():
    file = saved(images())
    header = read_header(file)
    file.truncate(header.item_offset(4) + 10)

    read_item(file, header, 3)
    with pytest.raises(InputError) as caught:
        read_item(file, header, 4)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(("factor", "scale"), [(1 / 255, 255.0), (1.0, 1.0)])
def test_range_of_floats_is_found_once_for_the_whole_array(factor, scale):
    array = (images(200) * factor).astype(np.float32)
    # One bright item among black ones decides.
    array[1:] = 0
    array[0, 0, 0, 0] = 255 * factor
    file = saved(array)

    assert find_scale(file, read_header(file)) == scale


def test_first_and_last_items_are_among_those_that_are_looked_at():
    array = np.zeros((NUM_SCALE_SAMPLES * 3, 2, 2, 3), np.float32)
    array[-1] = 200
    file = saved(array)

    assert find_scale(file, read_header(file)) == 1.0


def test_bytes_need_no_scale():
    file = saved(np.zeros((2, 2, 2, 3), np.uint8))

    assert find_scale(file, read_header(file)) == 1.0


def test_floats_from_0_to_1_become_colours_and_the_item_is_not_changed():
    item = np.array([[[0.0, 0.5, 1.0]]], np.float32)

    assert from_array(item, 255.0).tolist() == [[[0, 128, 255]]]
    assert item.tolist() == [[[0.0, 0.5, 1.0]]]


@pytest.mark.parametrize(
    ("values", "scale"),
    [([0.0, np.nan, 1.0], 255.0), ([0.0, np.inf, 1.0], 1.0), ([-1.0, 0.0, 1.0], 255.0), ([0.0, 2.0, 200.0], 255.0)],
)
def test_values_that_are_no_colours_are_refused(values, scale):
    with pytest.raises(InputError) as caught:
        from_array(np.array([[values]], np.float32), scale)
    assert caught.value.reason is Reason.WRONG_SHAPE


@pytest.mark.parametrize(
    ("array", "index", "reason"),
    [
        (np.zeros((2, 3, 4, 4), np.uint8), 0, Reason.WRONG_SHAPE),
        (np.zeros((2, 3, 4, 5), np.uint8), 0, Reason.WRONG_SHAPE),
        (np.zeros((2, 3, 4), np.uint8), 0, Reason.WRONG_SHAPE),
        (np.zeros((2, 0, 4, 3), np.uint8), 0, Reason.WRONG_SHAPE),
        (np.zeros((2, 3, 4, 3), np.int64), 0, Reason.WRONG_SHAPE),
        (images(), 5, Reason.WRONG_SHAPE),
        (np.zeros((1, 200, 51, 3), np.uint8), 0, Reason.TOO_MANY_PIXELS),
        (np.zeros((1, 500, 700, 3), np.uint8), 0, Reason.TOO_MANY_BYTES),
    ],
)
def test_item_that_can_be_no_image_is_refused_before_it_is_read(array, index, reason):
    with pytest.raises(InputError) as caught:
        check_item(read_header(saved(array)), index, LIMITS)
    assert caught.value.reason is reason
