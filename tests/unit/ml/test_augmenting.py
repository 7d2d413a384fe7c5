import numpy as np
import pytest

from core.types import Augment
from workers.ml.augmenting import NUM_COPIES, augment, copy_rng

VARYING = [Augment.LIGHT, Augment.STRONG]


@pytest.fixture
def image() -> np.ndarray:
    """(60, 80, 3) uint8 RGB: a red disc left of the middle of a grey-blue gradient."""
    rows, columns = np.mgrid[:60, :80]
    image = np.stack([rows + 60, rows + 80, columns + 100], axis=2).astype(np.uint8)
    image[(rows - 30) ** 2 + (columns - 25) ** 2 < 100] = (220, 40, 30)
    return image


def many(image, level, num_images=200):
    return [augment(image, level, np.random.default_rng(seed)) for seed in range(num_images)]


def disc_centre(image) -> tuple[float, float]:
    rows, columns = np.nonzero(image[..., 0].astype(int) - image[..., 2] > 60)
    return rows.mean(), columns.mean()


@pytest.mark.parametrize("level", list(Augment))
def test_an_image_keeps_its_shape_and_type_and_is_left_as_it_was(image, level):
    before = image.copy()

    received = augment(image, level, np.random.default_rng(0))

    assert (received.shape, received.dtype) == ((60, 80, 3), np.uint8)
    assert not np.shares_memory(received, image)
    np.testing.assert_array_equal(image, before)


def test_without_augmentation_the_image_stays_equal(image):
    np.testing.assert_array_equal(augment(image, Augment.NONE, np.random.default_rng(0)), image)


@pytest.mark.parametrize("level", VARYING)
def test_equal_generators_give_equal_images_and_others_do_not(image, level):
    first, again, other = (augment(image, level, np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, image)


def test_half_of_the_images_are_mirrored(image):
    # The disc is left of the middle by more than the largest shift.
    mirrored = [disc_centre(varied)[1] > 40 for varied in many(image, Augment.LIGHT)]

    assert 70 < sum(mirrored) < 130


def test_light_augmentation_leaves_colours_alone(image):
    disc = [
        varied[round(row), round(column)]
        for varied in many(image, Augment.LIGHT, 20)
        for row, column in [disc_centre(varied)]
    ]

    np.testing.assert_array_equal(np.unique(disc, axis=0), [(220, 40, 30)])


def test_strong_augmentation_changes_brightness_and_colour_to_either_side():
    grey = np.full((20, 20, 3), 128, np.uint8)

    colours = np.array([varied[10, 10] for varied in many(grey, Augment.STRONG)], int)

    assert colours.mean(axis=1).min() < 108
    assert colours.mean(axis=1).max() > 148
    assert np.ptp(colours, axis=1).max() > 10
    assert abs(colours.mean() - 128) < 5


def test_strong_augmentation_turns_and_light_does_not():
    """A vertical line stays one; turned, it leans over more columns than a mirrored, moved or zoomed one covers."""
    image = np.zeros((81, 81, 3), np.uint8)
    image[:, 38:43] = 255

    widths = {
        level: [np.count_nonzero(varied[10:71].max(axis=(0, 2)) > 100) for varied in many(image, level, 50)]
        for level in VARYING
    }

    assert max(widths[Augment.LIGHT]) <= 7
    assert max(widths[Augment.STRONG]) > 15


def test_strong_differs_from_light_for_the_same_generator(image):
    light, strong = (augment(image, level, np.random.default_rng(5)) for level in VARYING)

    assert np.abs(light.astype(int) - strong).mean() > 3


def test_a_view_and_an_image_of_one_pixel_can_be_augmented(image):
    flipped = image[:, ::-1]

    received = augment(flipped, Augment.STRONG, np.random.default_rng(0))

    np.testing.assert_array_equal(received, augment(flipped.copy(), Augment.STRONG, np.random.default_rng(0)))
    assert augment(image[:1, :1], Augment.STRONG, np.random.default_rng(0)).shape == (1, 1, 3)


def test_more_augmentation_makes_more_copies():
    assert NUM_COPIES == {Augment.NONE: 0, Augment.LIGHT: 2, Augment.STRONG: 5}


def test_a_copy_depends_on_the_content_and_its_number_alone(image):
    sha256, other = "ab" * 32, "ab" * 31 + "ac"

    first, again, next_copy, other_image = (
        augment(image, Augment.STRONG, copy_rng(*arguments))
        for arguments in [(sha256, 0), (sha256, 0), (sha256, 1), (other, 0)]
    )

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_copy)
    assert not np.array_equal(first, other_image)
