"""Images as people look at them: whole, in their own proportions, upright, and made where a decoder may die."""

import io
from pathlib import Path

import numpy as np
import pytest
from containers import write_tar
from hostile import REASONS, hostile_environment, make_hostile
from pictures import encoded, scene
from PIL import Image

from core.errors import InputError
from core.items import ArrayLocator, FileLocator, MemberLocator
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import Reason, ResizeMode
from workers.images.isolation import IsolatedImages
from workers.images.loading import build_image_loader
from workers.images.views import make_view
from workers.ml.resizing import Picture

CONTRACTS = (PreprocessingContract((32, 40)), PreprocessingContract((24, 24), ResizeMode.PAD))


@pytest.fixture
def images(monkeypatch):
    for name, value in hostile_environment({"LABELYARD_MAX_IMAGE_S": "2"}).items():
        monkeypatch.setenv(name, value)
    with IsolatedImages(num_processes=1, max_image_s=2) as images:
        yield images


def at(path: Path, data: bytes) -> FileLocator:
    path.write_bytes(data)
    return FileLocator(str(path))


@pytest.mark.parametrize(
    ("full_hw", "size_hw"),
    [
        ((300, 400), (120, 160)),
        ((400, 300), (160, 120)),
        ((160, 100), (160, 100)),
        ((8, 9), (8, 9)),
        ((1, 5000), (1, 160)),
    ],
)
def test_a_view_keeps_proportions_and_is_never_larger_than_the_image(full_hw, size_hw):
    image = np.zeros((*full_hw, 3), np.uint8)
    assert make_view(Picture(image, full_hw), 160).image_rgb.shape == (*size_hw, 3)


def test_a_view_shows_what_the_image_shows_and_networks_see_what_they_see_elsewhere(images, tmp_path):
    locator = at(tmp_path / "a.jpg", encoded(scene(750, 1000), ".jpg"))

    view = images.view(locator, 120, CONTRACTS)

    assert view.full_hw == (750, 1000)
    difference = np.abs(view.image_rgb.astype(int) - scene(90, 120))
    assert difference.mean() < 2
    expected = build_image_loader(Settings()).prepare(locator, CONTRACTS)
    for contract in CONTRACTS:
        # The view may need more pixels of the file than the network alone, so that a reduction differs a little.
        assert np.abs(view.inputs[contract].astype(int) - expected[contract]).mean() < 2


def test_a_view_is_upright(images, tmp_path):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees to the right
    Image.fromarray(np.rot90(scene(60, 100))).save(file, "JPEG", exif=exif, quality=95)

    view = images.view(at(tmp_path / "turned.jpg", file.getvalue()), 100)

    assert view.full_hw == (60, 100)
    assert np.abs(view.image_rgb.astype(int) - scene(60, 100)).mean() < 4


def test_members_of_archives_and_items_of_arrays_are_seen_too(images, tmp_path):
    np.save(tmp_path / "a.npy", np.stack([scene(), scene() // 2]))
    view = images.view(ArrayLocator(str(tmp_path / "a.npy"), 1, 1.0), 64)
    assert np.array_equal(view.image_rgb, scene() // 2)

    data = encoded(scene(), ".png")
    members = write_tar(tmp_path / "a.tar.gz", {"in/a.png": data})
    view = images.view(MemberLocator(str(tmp_path / "a.tar.gz"), "in/a.png", *members["in/a.png"]), 64)
    assert np.array_equal(view.image_rgb, scene())


@pytest.mark.parametrize("kind", REASONS)
def test_an_image_that_kills_its_process_is_an_error_and_the_next_one_is_seen(images, tmp_path, kind):
    bad = at(tmp_path / "bad.jpg", encoded(scene(), ".jpg"))
    make_hostile(tmp_path / "bad.jpg", kind)
    with pytest.raises(InputError) as caught:
        images.view(bad, 64)
    assert caught.value.reason is Reason(REASONS[kind])
    assert images.view(at(tmp_path / "good.jpg", encoded(scene(), ".jpg")), 64).image_rgb.any()


def test_a_stamp_changes_with_the_file_and_says_when_it_is_gone(images, tmp_path):
    locator = at(tmp_path / "a.npy", b"first")
    member = MemberLocator(locator.uri, "x", 1, 1)
    before = images.place_stamp(locator)
    assert images.place_stamp(member) == before == images.place_stamp(locator)
    at(tmp_path / "a.npy", b"other")
    assert images.place_stamp(locator) != before
    (tmp_path / "a.npy").unlink()
    with pytest.raises(InputError) as caught:
        images.place_stamp(locator)
    assert caught.value.reason is Reason.NOT_FOUND


def test_what_lies_outside_of_the_roots_is_neither_seen_nor_stamped(tmp_path):
    (tmp_path / "inside").mkdir()
    outside = at(tmp_path / "outside.png", encoded(scene(), ".png"))
    (tmp_path / "inside" / "link.png").symlink_to(outside.uri)
    roots = {"LABELYARD_SOURCE_ROOTS": str(tmp_path / "inside")}
    locators = [outside, FileLocator(str(tmp_path / "inside" / "link.png")), FileLocator("http://127.0.0.1/a.png")]
    with IsolatedImages(num_processes=1, max_image_s=5, environment=roots) as images:
        for locator in locators:
            for ask in (images.place_stamp, lambda locator: images.view(locator, 64)):
                with pytest.raises(InputError) as caught:
                    ask(locator)
                assert caught.value.reason is Reason.NOT_ALLOWED


def test_a_process_with_nothing_to_do_is_replaced(tmp_path):
    locator = at(tmp_path / "a.png", encoded(scene(), ".png"))
    with IsolatedImages(num_processes=1, max_image_s=5, max_idle_s=0) as images:
        pids = []
        for _ in range(2):
            images.view(locator, 64)
            pids.append(images._processes[0]._process.pid)
    assert pids[0] != pids[1]
