import pytest
from pictures import encoded, scene

from core.errors import DatasetError
from core.settings import Settings
from core.types import Split
from orchestrator.datasets import check_readable, check_splittable
from workers.images.loading import build_image_loader


@pytest.fixture
def prepare():
    """Read and decode an image as a worker does."""
    loader = build_image_loader(Settings())
    yield lambda locator: loader.prepare(locator, [])
    loader.close()


def test_dataset_that_suffices_passes(write, opened):
    write("d/a/1.jpg", "d/a/2.jpg", "d/b/1.jpg", "d/b/2.jpg")

    dataset = opened("d")

    assert dataset.num_by_class() == (2, 2)
    check_splittable(dataset, 0.2)


def test_one_class_is_not_enough(write, opened):
    write("d/a/1.jpg", "d/a/2.jpg")

    with pytest.raises(DatasetError, match=r"one class only, 'a'"):
        check_splittable(opened("d"), 0.2)


def test_classes_too_small_to_be_split_are_named_with_their_sizes(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg", "d/b/2.jpg", "d/c/1.jpg")

    with pytest.raises(DatasetError, match=r"at least 2 images .* 20% .* but 'a' has 1, 'c' has 1"):
        check_splittable(opened("d"), 0.2)


def test_one_image_per_class_suffices_beside_a_validation_part(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg", "v/a/1.jpg")

    dataset = opened("d", val="v")

    assert dataset.has_split(Split.VAL)
    check_splittable(dataset, 0.2)


def test_class_of_the_list_without_images_is_named(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg", "v/a/1.jpg")

    with pytest.raises(DatasetError, match=r"at least 1 image to train on, but 'c' has 0"):
        check_splittable(opened("d", val="v", classes=("a", "b", "c")), 0.2)


def test_test_images_are_not_for_training(write, opened):
    write("d/test/a/1.jpg", "d/test/b/1.jpg")

    with pytest.raises(DatasetError, match=r"no image to train on; all are for test"):
        check_splittable(opened("d"), 0.2)


def test_one_readable_image_per_class_is_enough(write, opened, prepare):
    write("d/a/1.jpg", "d/b/1.jpg")
    write("d/a/2.png", "d/b/2.png", content=encoded(scene(), ".png"))
    seen = []

    check_readable(opened("d"), lambda locator: (prepare(locator), seen.append(locator.uri.rpartition("/")[2])))

    assert seen == ["2.png", "2.png"]


def test_class_that_cannot_be_read_is_named_with_its_first_problem(write, opened, prepare):
    write("d/a/2.png", content=encoded(scene(), ".png"))
    write("d/Hat/1.jpg", "d/Hat/2.jpg", content=b"")

    with pytest.raises(
        DatasetError, match=r"Class 'Hat': none of its 2 images can be read; the first: d/Hat/1\.jpg: The file has no"
    ):
        check_readable(opened("d"), prepare)


def test_images_for_validation_do_not_make_a_class_readable(write, opened, prepare):
    write("d/a/1.png", "d/b/1.png", "v/b/1.png", content=encoded(scene(), ".png"))
    write("d/b/1.png", content=b"GIF89a")

    with pytest.raises(DatasetError, match=r"Class 'b': none of its 1 images"):
        check_readable(opened("d", val="v"), prepare)
