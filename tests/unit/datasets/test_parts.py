import numpy as np
import pytest

from core.errors import DatasetError
from core.types import Split


@pytest.fixture
def two_classes(write):
    """A dataset without parts."""
    write("d/a/1.jpg", "d/b/1.jpg")
    return "d"


def test_other_datasets_are_for_validation_and_test(write, write_rows, two_classes, opened, contents):
    write("v/b/2.jpg")
    write_rows("t.csv", [{"image": "x.jpg", "label": "a"}])

    dataset = opened(two_classes, val="v", test="t.csv")

    assert dataset.classes == ("a", "b")
    assert contents(dataset) == {
        ("a", None): ["d/a/1.jpg"],
        ("b", None): ["d/b/1.jpg"],
        ("b", "val"): ["v/b/2.jpg"],
        ("a", "test"): ["x.jpg"],
    }


def test_of_a_divided_dataset_the_right_part_is_taken(write, two_classes, opened, contents):
    write("v/train/a/1.jpg", "v/val/a/2.jpg", "v/test/b/3.jpg", "t/train/a/1.jpg")

    assert contents(opened(two_classes, val="v"))["a", "val"] == ["v/val/a/2.jpg"]
    assert contents(opened(two_classes, test="v"))["b", "test"] == ["v/test/b/3.jpg"]
    with pytest.raises(DatasetError, match=r"t is divided into train, none of which is the test part"):
        opened(two_classes, test="t")


def test_class_that_only_another_dataset_has_is_named(write, two_classes, opened):
    write("v/c/1.jpg")

    with pytest.raises(
        DatasetError, match=r"val images of 'c', such as v/c/1.jpg, .* the training images show 'a', 'b'"
    ):
        opened(two_classes, val="v")


def test_class_list_holds_for_all_datasets(write, two_classes, write_arrays, opened, contents):
    text = write_arrays(np.array([1, 0]))

    dataset = opened(two_classes, val=text, classes=("b", "a"))

    assert contents(dataset)["a", "val"] == ["images.npy#0"]
    write("t/c/1.jpg")
    with pytest.raises(DatasetError, match=r"t has folders outside the class list: 'c'"):
        opened(two_classes, test="t", classes=("b", "a"))


def test_part_that_is_there_twice_is_refused(write, opened):
    write("d/train/a/1.jpg", "d/train/b/1.jpg", "d/val/a/1.jpg", "v/a/1.jpg")

    with pytest.raises(DatasetError, match=r"d has a val part of its own, and --val names v too.*d/train"):
        opened("d", val="v")
    assert opened("d/train", val="v").num_by_class(Split.VAL) == (1, 0)


def test_what_was_passed_over_is_counted_together(write, two_classes, opened):
    write("d/a/notes.txt", "v/a/1.jpg", "v/a/notes.txt", content=b"text")
    write("v/a/1.jpg")

    assert opened(two_classes, val="v").num_skipped == 2


def test_bad_class_lists_are_refused(two_classes, opened):
    with pytest.raises(DatasetError, match=r"names 'a' more than once"):
        opened(two_classes, classes=("a", "b", "a"))
    with pytest.raises(DatasetError, match=r"--classes is empty"):
        opened(two_classes, classes=())


def test_dataset_for_measuring_alone_needs_no_training_images(write, opened):
    write("d/test/a/1.jpg")

    assert opened("d").classes == ("a",)


def test_the_same_dataset_is_in_the_same_order(write, opened):
    write(*(f"d/{name}/{number}.jpg" for name in "cab" for number in (3, 1, 20)))

    names = [labelled.item.name for labelled in opened("d").items]

    assert names == sorted(names)
    assert names == [labelled.item.name for labelled in opened("d").items]
