import os
from pathlib import Path

import pytest

from core.errors import DatasetError, SourceError
from core.items import FileLocator
from core.types import Split
from orchestrator.datasets import open_dataset
from orchestrator.sources import open_source, resolve_sources
from workers.access import Access


def test_class_folders_are_classes_in_the_order_of_their_names(write, opened, contents, tmp_path):
    write("d/Hat/b.jpg", "d/Hat/deep/er/a.jpg", "d/Cube/c.png", "d/.git/x.jpg", "d/Hat/.hidden.jpg")
    write("d/Hat/notes.md", content=b"# hats")

    dataset = opened("d/")

    assert dataset.classes == ("Cube", "Hat")
    assert contents(dataset) == {
        ("Cube", None): ["d/Cube/c.png"],
        ("Hat", None): ["d/Hat/b.jpg", "d/Hat/deep/er/a.jpg"],
    }
    assert dataset.items[0].item.locator == FileLocator(str(tmp_path / "d/Cube/c.png"))
    assert dataset.num_skipped == 1


def test_images_are_named_and_found_as_labelling_the_same_folder_does(write, opened, tmp_path):
    write("d/b/2.jpg", "d/b/10.jpg", "d/a/x/y.jpg", "d/a/without_ending", b"d/a/\xff.jpg")

    (spec,) = resolve_sources(["d"], Access(), cwd=tmp_path)
    of_source = {(item.name, item.locator) for item in open_source(spec, Access()).items()}

    assert {(labelled.item.name, labelled.item.locator) for labelled in opened("d").items} == of_source
    assert len(of_source) == 5


def test_files_beside_class_folders_are_counted_as_passed_over(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg", "d/contact-sheet.jpg", "d/readme.txt", "d/.DS_Store")

    dataset = opened("d")

    assert len(dataset.items) == 2
    assert dataset.num_skipped == 2


def test_parts_are_as_their_folders_say(write, opened, contents):
    write("d/train/a/1.jpg", "d/train/b/1.jpg", "d/Validation/a/1.jpg", "d/test/b/1.jpg", "d/unlabelled/1.jpg")
    write("d/truth.csv")

    dataset = opened("d")

    assert contents(dataset) == {
        ("a", "train"): ["d/train/a/1.jpg"],
        ("b", "train"): ["d/train/b/1.jpg"],
        ("a", "val"): ["d/Validation/a/1.jpg"],
        ("b", "test"): ["d/test/b/1.jpg"],
    }
    assert dataset.num_skipped == 0
    assert dataset.num_by_class(Split.TRAIN) == (1, 1)
    assert dataset.num_by_class(Split.VAL) == (1, 0)
    assert dataset.num_by_class() == (2, 2)


def test_train_alone_is_for_training(write, opened, contents):
    write("d/train/a/1.jpg", "d/train/b/1.jpg")

    assert set(contents(opened("d"))) == {("a", "train"), ("b", "train")}


def test_a_class_of_trains_is_a_class(write, opened):
    write("d/train/1.jpg", "d/bus/1.jpg", "d/tram/1.jpg")

    assert opened("d").classes == ("bus", "train", "tram")


def test_classes_that_are_numbers_are_in_the_order_of_numbers(write, opened):
    write("d/10/1.jpg", "d/9/1.jpg", "d/1/1.jpg")

    assert opened("d").classes == ("1", "9", "10")


def test_class_list_gives_the_order(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg")

    dataset = opened("d", classes=("b", "a"))

    assert dataset.classes == ("b", "a")
    assert [labelled.class_index for labelled in dataset.items] == [1, 0]


def test_names_of_any_bytes_survive(write, opened):
    write(b"d/caf\xe9/\xff.jpg", "d/tea/1.jpg")

    dataset = opened("d")

    assert dataset.classes == ("caf\udce9", "tea")
    assert dataset.items[0].item.name == "d/caf\udce9/\udcff.jpg"
    assert Path(os.fsencode(dataset.items[0].item.locator.uri).decode(errors="surrogateescape")).is_file()


def test_class_folders_behind_links_are_entered(write, opened, tmp_path):
    write("elsewhere/1.jpg", "d/b/1.jpg")
    (tmp_path / "d/a").symlink_to(tmp_path / "elsewhere")

    assert opened("d").classes == ("a", "b")


def test_remote_folders_are_datasets(memory, opened, contents):
    for name in ("train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg"):
        memory.pipe(f"/d/{name}", b"\xff\xd8\xff")

    dataset = opened("memory://d")

    assert contents(dataset)["a", "val"] == ["memory://d/val/a/2.jpg"]
    assert dataset.items[0].item.locator == FileLocator("memory://d/train/a/1.jpg")


def test_current_folder_is_a_dataset(write, tmp_path, monkeypatch):
    write("a/1.jpg", "b/1.jpg")
    monkeypatch.chdir(tmp_path)

    assert open_dataset(".", Access(), cwd=Path.cwd()).classes == ("a", "b")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["d/1.jpg", "d/2.jpg"], "d holds no class folder, but 2 images directly in it"),
        (["d/train/1.jpg", "d/val/1.jpg"], "d/train holds no class folder, but 1 images directly in it"),
        (["d/train/a/1.jpg", "d/test/1.jpg"], "d/test holds no class folder, but 1 images"),
        (["d/a/1.jpg", "d/b/notes.txt"], "There is no image in 'b' of d. Every class folder needs images"),
        (["d/train/a/1.jpg", "d/train/b/x.txt"], "no image in 'b' of d/train"),
        (["d/train/a/1.jpg", "d/val/a/x.txt"], "There is no image in d/val"),
        (["d/train/a/1.jpg", "d/val/a/1.jpg", "d/valid/a/1.jpg"], "d has 'val', 'valid', which all mean val"),
        (["d/train/a/1.jpg", "d/train/b/1.jpg", "d/val/c/1.jpg"], "val images of 'c', such as d/val/c/1.jpg"),
        (["d/notes.txt"], "d holds no class folder, only 1 files"),
        (["d/.hidden/1.jpg"], "d holds no class folder; it is empty"),
    ],
)
def test_folder_that_is_no_dataset_is_refused(write, opened, names, message):
    for name in names:
        write(name, content=b"\xff\xd8\xff" if name.endswith("jpg") else b"text")

    with pytest.raises(DatasetError, match=message):
        opened("d")


def test_small_parts_may_lack_a_class(write, opened, tmp_path):
    write("d/train/a/1.jpg", "d/train/b/1.jpg", "d/val/a/1.jpg")
    (tmp_path / "d/val/b").mkdir()

    assert opened("d").num_by_class(Split.VAL) == (1, 0)


def test_folder_outside_the_class_list_is_named(write, opened):
    write("d/a/1.jpg", "d/b/1.jpg", "d/c/1.jpg")

    with pytest.raises(DatasetError, match=r"d has folders outside the class list: 'c'. --classes has 'a', 'b'"):
        opened("d", classes=("a", "b"))


def test_missing_folder_is_named(opened, tmp_path):
    with pytest.raises(SourceError, match=f"d does not exist.*{tmp_path}/d"):
        opened("d")
