import pyarrow as pa
import pytest
from pyarrow import parquet

from core.errors import DatasetError, SourceError
from core.items import ArrayLocator, FileLocator

FORMATS = ("csv", "jsonl", "parquet")


@pytest.fixture(params=FORMATS)
def manifest(request):
    """A manifest's name, in each format in turn."""
    return f"m.{request.param}"


def test_labels_are_classes_and_paths_are_relative_to_the_manifest(manifest, write_rows, opened, contents, tmp_path):
    write_rows(
        manifest,
        [
            {"id": 1, "path": "x/1.jpg", "category": "hat"},
            {"id": 2, "path": "/abs/2.jpg", "category": " cube "},
            {"id": 3, "path": "memory://b/3.jpg", "category": "hat"},
        ],
    )

    dataset = opened(manifest)

    assert dataset.classes == ("cube", "hat")
    assert contents(dataset) == {("hat", None): ["x/1.jpg", "memory://b/3.jpg"], ("cube", None): ["/abs/2.jpg"]}
    assert dataset.items[0].item.locator == FileLocator(str(tmp_path / "x/1.jpg"))


def test_split_column_says_what_images_are_for(manifest, write_rows, opened, contents):
    splits = ["train", "Train", "valid", "validation", "val", "test", None]
    rows = [{"image": f"{i}.jpg", "label": "ab"[i % 2], "split": split} for i, split in enumerate(splits)]

    dataset = opened(write_rows(manifest, rows))

    assert contents(dataset) == {
        ("a", "train"): ["0.jpg"],
        ("b", "train"): ["1.jpg"],
        ("a", "val"): ["2.jpg", "4.jpg"],
        ("b", "val"): ["3.jpg"],
        ("b", "test"): ["5.jpg"],
        ("a", None): ["6.jpg"],
    }


def test_columns_can_be_named(manifest, write_rows, opened, contents):
    rows = [{"image": "wrong", "label": "wrong", "left": "1.jpg", "right": "a"}]

    dataset = opened(write_rows(manifest, rows), image_column="left", label_column="right")

    assert contents(dataset) == {("a", None): ["1.jpg"]}


def test_numbers_are_names_unless_names_are_given(manifest, write_rows, opened):
    write_rows(manifest, [{"image": f"{label}.jpg", "label": label} for label in (10, 2, 0)])

    named = opened(manifest)
    assert named.classes == ("0", "2", "10")
    assert [labelled.class_index for labelled in named.items] == [2, 1, 0]
    names = tuple("abcdefghijk")
    given = opened(manifest, classes=names)
    assert given.classes == names
    assert [labelled.class_index for labelled in given.items] == [10, 2, 0]


def test_class_list_orders_labels_that_are_names_even_if_those_are_numbers(manifest, write_rows, opened):
    write_rows(manifest, [{"image": "1.jpg", "label": "1"}, {"image": "2.jpg", "label": "0"}])

    assert [labelled.class_index for labelled in opened(manifest, classes=("1", "0")).items] == [0, 1]


def test_whole_floats_and_truth_values_are_labels(opened, tmp_path):
    parquet.write_table(pa.table({"image": ["1.jpg", "2.jpg"], "label": [0.0, 1.0]}), tmp_path / "f.parquet")
    parquet.write_table(pa.table({"image": ["1.jpg", "2.jpg"], "label": [True, False]}), tmp_path / "b.parquet")

    assert opened("f.parquet").classes == ("0", "1")
    assert opened("b.parquet").classes == ("false", "true")


def test_rows_without_an_image_are_counted(manifest, write_rows, opened):
    write_rows(manifest, [{"image": "1.jpg", "label": "a"}, {"image": None, "label": "b"}])

    dataset = opened(manifest)

    assert dataset.classes == ("a",)
    assert dataset.num_skipped == 1


def test_image_without_a_label_is_named_rather_than_lost(manifest, write_rows, opened):
    write_rows(manifest, [{"image": f"{i}.jpg", "label": label} for i, label in enumerate(["a", None, "", "b"])])

    with pytest.raises(DatasetError, match=r"^2 of the images in m.* have no label; the first: .*, 1.jpg"):
        opened(manifest)


@pytest.mark.parametrize("value", ["nan", "null"])
def test_missing_number_is_a_missing_label(value, opened, tmp_path):
    labels = pa.array([1.0, float("nan") if value == "nan" else None])
    parquet.write_table(pa.table({"image": ["1.jpg", "2.jpg"], "label": labels}), tmp_path / "m.parquet")

    with pytest.raises(DatasetError, match=r"have no label; the first: Row 2 of .*, 2\.jpg"):
        opened("m.parquet")


def test_label_outside_the_class_list_is_named_with_its_row(manifest, write_rows, opened):
    write_rows(manifest, [{"image": "1.jpg", "label": "a"}, {"image": "2.jpg", "label": "c"}])

    with pytest.raises(DatasetError, match=r"(Line|Row) [23] of .* has a label outside the class list: 'c'"):
        opened(manifest, classes=("a", "b"))


def test_number_outside_the_class_list_is_named(manifest, write_rows, opened):
    write_rows(manifest, [{"image": "1.jpg", "label": 1}, {"image": "2.jpg", "label": 2}])

    with pytest.raises(DatasetError, match=r"outside the class list: '2'\. .* or 0 to 1 for their positions"):
        opened(manifest, classes=("a", "b"))


def test_entries_may_point_into_arrays(write_rows, write_arrays, opened, tmp_path):
    write_arrays([0, 1])
    write_rows("m.csv", [{"image": "images.npy#1", "label": "a"}])

    assert opened("m.csv").items[0].item.locator == ArrayLocator(str(tmp_path / "images.npy"), 1, 1.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", b"image,note\na.jpg,x\n", "Which column of m.csv holds the labels.* say --label-column NAME"),
        ("m.csv", b"foto,label\na.jpg,x\n", "Which column of m.csv holds the images.* say --image-column NAME"),
        ("m.csv", b"image,label,split\na.jpg,x,later\n", "Line 2 of .* is for 'later'; expected train, val or test"),
        ("m.csv", b"image,label\n", "names no image"),
        ("m.jsonl", b'{"image": "a.jpg", "label": ["x", "y"]}\n', r"Line 1 of .* label \['x', 'y'\] of type list"),
        ("m.jsonl", b'{"image": "a.jpg", "label": 0.5}\n', r"label 0\.5 of type float"),
        ("m.txt", b"a.jpg\n", "m.txt is a plain list, which has no labels"),
        ("m.csv", b"image,label,split\na.jpg,x,train\nb.jpg,y,test\n", "test images of 'y', such as b.jpg"),
    ],
)
def test_manifest_that_is_no_dataset_is_refused(write, opened, name, content, message):
    write(name, content=content)

    with pytest.raises(DatasetError, match=message):
        opened(name)


def test_unknown_and_doubled_columns_are_refused(write, opened):
    write("m.csv", content=b"image,label\na.jpg,x\n")

    with pytest.raises(DatasetError, match=r"no column 'klass'; it has 'image', 'label'"):
        opened("m.csv", label_column="klass")
    with pytest.raises(DatasetError, match=r"'image' of m.csv cannot hold both"):
        opened("m.csv", label_column="image")


def test_damaged_manifest_and_web_addresses_are_the_sources_affair(write, opened):
    write("bad.jsonl", content=b"not json\n")
    write("web.csv", content=b"image,label\nhttps://127.0.0.1/a.jpg,x\n")

    with pytest.raises(SourceError, match=r"Line 1 of .* is not JSON"):
        opened("bad.jsonl")
    with pytest.raises(SourceError, match=r"--allow-http"):
        opened("web.csv")
    assert len(opened("web.csv", allow_http=True).items) == 1
