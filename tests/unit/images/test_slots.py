"""Images prepared straight into their places in a batch."""

import numpy as np
import pytest
from pictures import scene

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from workers.ml.resizing import prepare


@pytest.mark.parametrize("mode", list(ResizeMode))
@pytest.mark.parametrize("image_hw", [(1, 1), (1, 9), (20_000, 1), (96, 160), (110, 183), (500, 375), (30, 700)])
@pytest.mark.parametrize("size_hw", [(96, 96), (96, 160), (1, 3)])
def test_slot_of_a_batch_gets_the_very_pixels_and_its_neighbours_nothing(mode, image_hw, size_hw):
    image, contract = scene(*image_hw), PreprocessingContract(size_hw, mode)
    batch = np.full((3, *size_hw, 3), 77, np.uint8)
    slot = batch[1]

    assert prepare(image, contract, slot) is slot

    np.testing.assert_array_equal(slot, prepare(image, contract))
    assert (batch[[0, 2]] == 77).all()


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_slot_that_was_used_before_shows_nothing_of_it(mode):
    contract = PreprocessingContract((40, 40), mode)
    slot = np.empty((40, 40, 3), np.uint8)
    prepare(scene(300, 100), contract, slot)

    prepare(scene(100, 300), contract, slot)

    np.testing.assert_array_equal(slot, prepare(scene(100, 300), contract))


@pytest.mark.parametrize(
    "slot",
    [
        np.empty((32, 33, 3), np.uint8),
        np.empty((1, 32, 32, 3), np.uint8),
        np.empty((32, 32), np.uint8),
        np.empty((32, 32, 3), np.float32),
        np.empty((3, 32, 32), np.uint8).transpose(1, 2, 0),
        np.empty((32, 64, 3), np.uint8)[:, ::2],
        np.frombuffer(bytes(32 * 32 * 3), np.uint8).reshape(32, 32, 3),
    ],
)
def test_slot_that_does_not_fit_is_refused_with_what_was_expected(slot):
    with pytest.raises(ValueError, match=r"out: expected a contiguous, writeable array of shape \(32, 32, 3\)"):
        prepare(scene(), PreprocessingContract((32, 32)), slot)
