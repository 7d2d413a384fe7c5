import io

import numpy as np
import pytest

from core.errors import DatasetError, SourceError
from core.items import ArrayLocator

CLASSES = ("Hat", "Cube", "Card")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_whole_numbers_are_labels(write_arrays, opened, tmp_path, dtype, shape):
    text = write_arrays(np.array([2, 0, 1, 2], dtype).reshape(shape))

    dataset = opened(text, classes=CLASSES)

    assert dataset.classes == CLASSES
    assert [labelled.class_index for labelled in dataset.items] == [2, 0, 1, 2]
    assert [labelled.split for labelled in dataset.items] == [None] * 4
    assert dataset.items[3].item.name == "images.npy#3"
    assert dataset.items[3].item.locator == ArrayLocator(str(tmp_path / "images.npy"), 3, 1.0)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_one_hot_rows_are_labels(write_arrays, opened, dtype):
    text = write_arrays(np.eye(3, dtype=dtype)[[2, 0, 1]])

    assert opened(text).classes == ("0", "1", "2")
    assert [labelled.class_index for labelled in opened(text, classes=CLASSES).items] == [2, 0, 1]


def test_truth_values_are_two_classes(write_arrays, opened):
    assert opened(write_arrays(np.array([True, False]))).classes == ("0", "1")


def test_numbers_without_names_are_the_classes_that_occur(write_arrays, opened):
    dataset = opened(write_arrays(np.array([10, 2, 10])))

    assert dataset.classes == ("2", "10")
    assert [labelled.class_index for labelled in dataset.items] == [1, 0, 1]


def test_blanks_behind_the_comma_and_commas_in_paths_are_understood(write_arrays, opened, tmp_path):
    folder = "a.npy,b"
    (tmp_path / folder).mkdir()
    write_arrays(np.array([0, 1]), prefix=f"{folder}/")

    assert len(opened(f"{folder}/images.npy, {folder}/labels.npy").items) == 2


def test_path_with_a_comma_that_exists_is_that_path(write, opened):
    write("images.npy,labels.npy/a/1.jpg", "images.npy,labels.npy/b/1.jpg")

    assert opened("images.npy,labels.npy").classes == ("a", "b")


def test_remote_pairs_are_datasets(memory, opened):
    for name, array in (("x", np.zeros((2, 4, 4, 3), np.uint8)), ("y", np.array([0, 1]))):
        file = io.BytesIO()
        np.save(file, array)
        memory.pipe(f"/d/{name}.npy", file.getvalue())

    dataset = opened("memory://d/x.npy,memory://d/y.npy")

    assert dataset.items[1].item.locator == ArrayLocator("memory://d/x.npy", 1, 1.0)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (np.array([0.0, 0.5]), None, r"labels.npy holds 0\.5 as the label of item 1"),
        (np.array([0.0, np.nan]), None, "holds nan as the label of item 1"),
        (np.array([0.0, np.inf]), None, "holds inf as the label of item 1"),
        (np.array(["a", "b"]), None, "holds <U1 values. Expected whole numbers"),
        (np.array([None, 1], object), None, "holds object values"),
        (np.zeros((2, 3, 1), int), None, r"has the shape \(2, 3, 1\)"),
        (np.zeros((2, 0), int), None, r"has the shape \(2, 0\)"),
        (np.array([[1, 0], [1, 1]]), None, r"row 1 is not one-hot: \[1 1\]"),
        (np.array([[1, 0], [0, 0]]), None, r"row 1 is not one-hot: \[0 0\]"),
        (np.array([[0.9, 0.1], [0.0, 1.0]]), None, r"row 0 is not one-hot: \[0\.9 0\.1\]"),
        (np.array([[2, -1], [0, 1]]), None, r"row 0 is not one-hot"),
        (np.array([0, -1]), None, "labels below 0: item 1 is -1"),
        (np.array([1, 3]), CLASSES, r"outside the class list: item 1 is 3\. .* labels are 0 to 2, counted from 0"),
        (np.array([-1, 2]), CLASSES, "outside the class list: item 0 is -1"),
        (np.eye(2), CLASSES, "has 2 columns, one per class, but --classes has 3 names: 'Hat', 'Cube', 'Card'"),
    ],
)
def test_labels_that_are_none_are_refused(write_arrays, opened, labels, classes, message):
    with pytest.raises(DatasetError, match=message):
        opened(write_arrays(labels), classes=classes)


def test_arrays_of_different_length_are_refused_with_both_lengths(write_arrays, opened):
    with pytest.raises(DatasetError, match=r"has 3 labels, but there are 5 images"):
        opened(write_arrays(np.array([0, 1, 0]), num_images=5))


def test_scalar_and_empty_arrays_are_refused(write_arrays, opened):
    with pytest.raises(DatasetError, match=r"has the shape \(\)"):
        opened(write_arrays(np.array(1), num_images=1))
    with pytest.raises(DatasetError, match=r"images.npy holds no image"):
        opened(write_arrays(np.zeros(0, int)))


def test_array_that_is_cut_short_is_refused(write_arrays, opened, tmp_path):
    text = write_arrays(np.arange(100))
    path = tmp_path / "labels.npy"
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(SourceError, match=r"labels.npy is cut short"):
        opened(text)


def test_images_that_are_none_are_the_sources_affair(write_arrays, opened, tmp_path):
    text = write_arrays(np.array([0, 1]))
    np.save(tmp_path / "images.npy", np.zeros((2, 4)))

    with pytest.raises(SourceError, match=r"has the shape \(2, 4\); expected four axes"):
        opened(text)
    with pytest.raises(SourceError, match=r"nowhere.npy cannot be read"):
        opened("nowhere.npy,labels.npy")


def test_one_array_alone_and_other_files_are_no_dataset(write, write_arrays, opened):
    write_arrays(np.array([0, 1]))
    write("photo.jpg")
    write("labels.csv", content=b"image,label\n")

    with pytest.raises(DatasetError, match=r"images.npy is one array.* images.npy,labels.npy"):
        opened("images.npy")
    with pytest.raises(DatasetError, match=r"photo.jpg is no dataset"):
        opened("photo.jpg")
    with pytest.raises(DatasetError, match=r"labels.csv is not an .npy array"):
        opened("images.npy,labels.csv")


def test_web_addresses_need_to_be_allowed(opened):
    with pytest.raises(SourceError, match=r"--allow-http"):
        opened("https://127.0.0.1/x.npy,https://127.0.0.1/y.npy")
    with pytest.raises(SourceError, match=r"--allow-http"):
        opened("https://127.0.0.1/folder")
