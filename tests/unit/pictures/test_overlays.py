"""A network's map over an image: in the right place, whatever part of the image the network saw."""

import numpy as np
import pytest

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from orchestrator.pictures.overlays import lay_over, map_box
from workers.ml.resizing import prepare

SIZE = 56
ROWS = 7
GREY = 128


def spot(full_hw: tuple[int, int], middle_yx: tuple[int, int], radius: int = 12) -> np.ndarray:
    """A white spot on black."""
    ys, xs = np.mgrid[: full_hw[0], : full_hw[1]]
    is_spot = (ys - middle_yx[0]) ** 2 + (xs - middle_yx[1]) ** 2 <= radius**2
    return np.repeat((is_spot * 255).astype(np.uint8)[..., None], 3, axis=2)


def brightness_map(image_rgb: np.ndarray, contract: PreprocessingContract) -> np.ndarray:
    """What a network whose last map is the mean brightness of each part would say of an image."""
    seen = prepare(image_rgb, contract).mean(axis=2)
    step_y, step_x = contract.size_hw[0] // ROWS, contract.size_hw[1] // ROWS
    return seen.reshape(ROWS, step_y, ROWS, step_x).mean(axis=(1, 3)).astype(np.float32)


@pytest.mark.parametrize("resize", ResizeMode)
@pytest.mark.parametrize("full_hw", [(200, 300), (300, 200), (90, 90), (60, 240)])
@pytest.mark.parametrize("shown_share", [1.0, 0.5])
def test_the_warmest_place_of_the_picture_is_where_the_network_saw_something(resize, full_hw, shown_share):
    contract = PreprocessingContract((SIZE, SIZE), resize)
    height, width = full_hw
    reach = 0.35 * min(height, width)  # so that the central square has it too
    for down, across in ((-1, -1), (-1, 1), (1, 1), (1, -1), (0, 0)):
        middle = round(height / 2 + down * 0.7 * reach), round(width / 2 + across * 0.7 * reach)
        contributions = brightness_map(spot(full_hw, middle), contract)
        shown = np.full((round(height * shown_share), round(width * shown_share), 3), GREY, np.uint8)

        painted = lay_over(shown, full_hw, contract, contributions)

        box = map_box(full_hw, contract)
        tolerance = 0.75 * max(box.height, box.width) / ROWS
        # Warm is red, and not blue; there are several pixels of the warmest colours, and their middle counts.
        red = painted[..., 0].astype(int) - painted[..., 2]
        ys, xs = np.nonzero(red >= 0.97 * red.max())
        assert red.max() > 50
        found = ys.mean() / shown_share, xs.mean() / shown_share
        assert found == pytest.approx(middle, abs=tolerance)


@pytest.mark.parametrize(
    ("resize", "box"),
    [
        (ResizeMode.CROP, (6.5, 56.5, 87, 87)),
        (ResizeMode.STRETCH, (0, 0, 100, 200)),
        (ResizeMode.PAD, (-50, 0, 200, 200)),
    ],
)
def test_the_map_lies_where_the_input_came_from(resize, box):
    found = map_box((100, 200), PreprocessingContract((SIZE, SIZE), resize))
    assert (found.top, found.left, found.height, found.width) == pytest.approx(box, abs=0.6)


def test_what_the_network_did_not_see_is_darker_and_has_no_colour():
    contract = PreprocessingContract((SIZE, SIZE), ResizeMode.CROP)
    shown = np.full((100, 200, 3), GREY, np.uint8)

    painted = lay_over(shown, (100, 200), contract, np.ones((ROWS, ROWS), np.float32))

    outside = painted[:, :50]
    assert (outside == outside[0, 0, 0]).all()
    assert outside[0, 0, 0] < GREY
    assert np.ptp(painted[50, 100].astype(int)) > 50, "inside it is coloured"


def test_where_nothing_speaks_for_a_class_nothing_is_painted():
    contract = PreprocessingContract((SIZE, SIZE), ResizeMode.STRETCH)
    shown = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for contributions in (np.zeros((ROWS, ROWS)), -np.ones((ROWS, ROWS))):
        assert np.array_equal(lay_over(shown, (40, 60), contract, contributions.astype(np.float32)), shown)
