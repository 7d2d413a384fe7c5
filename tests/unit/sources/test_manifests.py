import json

import numpy as np
import pyarrow as pa
import pytest
from containers import write_tar
from pyarrow import parquet

from core.errors import SourceError
from core.items import ArrayLocator, FileLocator, MemberLocator
from orchestrator.sources import SourceSpec, open_source
from workers.access import Access

ENTRIES = ["a.jpg", "sub/b.jpg", "/elsewhere/c.jpg", "memory://bucket/d.jpg", "a.jpg"]


@pytest.fixture(params=["txt", "lst", "csv", "jsonl", "parquet"])
def manifest(request, write, tmp_path):
    """A manifest of `ENTRIES` in every format, in a folder of its own."""
    name = f"lists/m.{request.param}"
    match request.param:
        case "txt" | "lst":
            write(name, content="\n".join(ENTRIES).encode())
        case "csv":
            write(name, content=("id,image\r\n" + "".join(f'7,"{entry}"\r\n' for entry in ENTRIES)).encode())
        case "jsonl":
            write(name, content="".join(json.dumps({"id": 7, "image": entry}) + "\n" for entry in ENTRIES).encode())
        case "parquet":
            write(name)
            parquet.write_table(pa.table({"id": [7] * len(ENTRIES), "image": ENTRIES}), tmp_path / name)
    return name


def test_entries_keep_their_names_and_are_relative_to_the_manifest(manifest, items_of, tmp_path):
    items = items_of(manifest)

    assert [item.name for item in items] == ENTRIES
    assert [item.locator for item in items] == [
        FileLocator(str(tmp_path / "lists/a.jpg")),
        FileLocator(str(tmp_path / "lists/sub/b.jpg")),
        FileLocator("/elsewhere/c.jpg"),
        FileLocator("memory://bucket/d.jpg"),
        FileLocator(str(tmp_path / "lists/a.jpg")),
    ]


def test_names_of_any_bytes_survive_in_lists_and_csv(write, names_of):
    write("m.txt", content=b"\xff\xfe.jpg\nwith blanks .jpg\n")
    write("m.csv", content=b'image\n"new\nline,\xff.jpg"\n')
    write("m.jsonl", content=b'{"image": "\\udcff.jpg"}\n')

    assert names_of("m.txt") == ["\udcff\udcfe.jpg", "with blanks .jpg"]
    assert names_of("m.csv") == ["new\nline,\udcff.jpg"]
    assert names_of("m.jsonl") == ["\udcff.jpg"]


def test_byte_order_marks_and_windows_lines_are_no_part_of_names(write, names_of):
    write("m.txt", content=b"\xef\xbb\xbfa.jpg\r\nb.jpg\r\n")
    write("m.csv", content=b"\xef\xbb\xbfimage\r\na.jpg\r\n")

    assert names_of("m.txt") == ["a.jpg", "b.jpg"]
    assert names_of("m.csv") == ["a.jpg"]


def test_blank_lines_are_passed_over_and_empty_cells_are_counted(write, resolve):
    write("m.txt", content=b"a.jpg\n\n  \nb.jpg\n")
    write("m.csv", content=b"image,note\na.jpg,\n\n,x\nb.jpg,\n")
    write("m.jsonl", content=b'{"image": "a.jpg"}\n\n{"image": null}\n{"image": "b.jpg"}\n')

    for name, num_skipped in (("m.txt", 0), ("m.csv", 1), ("m.jsonl", 1)):
        source = open_source(resolve(name)[0], Access())
        assert [item.name for item in source.items()] == ["a.jpg", "b.jpg"]
        assert source.num_skipped == num_skipped


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("x,image,path", "second"),
        ("x,url,path", "third"),
        ("filename,file,x", "second"),
        ("x,y,url", "third"),
    ],
)
def test_column_is_guessed_from_its_name(write, names_of, columns, expected):
    write("m.csv", content=f"{columns}\nfirst,second,third\n".encode())

    assert names_of("m.csv") == [expected]


def test_only_column_is_taken_whatever_its_name(write, names_of):
    write("m.csv", content=b"anything\na.jpg\n")

    assert names_of("m.csv") == ["a.jpg"]


def test_column_can_be_named(manifest, resolve, names_of):
    if manifest.endswith((".txt", ".lst")):
        with pytest.raises(SourceError, match="no columns"):
            resolve(manifest, column="image")
        return
    assert names_of(manifest, column="image") == ENTRIES
    with pytest.raises(SourceError, match="has no column 'picture'; it has 'id', 'image'"):
        resolve(manifest, column="picture")


def test_doubtful_column_has_to_be_named(write, resolve):
    write("m.csv", content=b"left,right\na.jpg,b.jpg\n")

    with pytest.raises(SourceError, match="'left', 'right'; say --column"):
        resolve("m.csv")


def test_csv_without_a_header_loses_no_image_in_silence(write, resolve):
    write("m.csv", content=b"a.jpg\nb.jpg\n")

    with pytest.raises(SourceError, match="has to name the columns"):
        resolve("m.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", b'{"image": "a.jpg"}\nnot json\n', "Line 2 .* is not JSON"),
        ("m.jsonl", b'"a.jpg"\n', "Line 1 .* is not a JSON object"),
        ("m.jsonl", b'{"image": "a.jpg"}\n{"picture": "b.jpg"}\n', "Line 2 .* has no 'image'; it has 'picture'"),
        ("m.jsonl", b'{"image": 7}\n', "holds int values"),
        ("m.parquet", b"no parquet at all", "is not a Parquet file"),
        ("m.txt", b"\n\n", "holds no image"),
        ("m.csv", b"", "no columns"),
        ("m.csv", b"image\n", "holds no image"),
    ],
)
def test_bad_manifest_is_refused_before_anything_is_written(write, resolve, name, content, message):
    write(name, content=content)

    with pytest.raises(SourceError, match=message):
        resolve(name)


def test_parquet_column_of_another_type_is_refused(resolve, tmp_path):
    parquet.write_table(pa.table({"image": [b"\xff\xd8"]}), tmp_path / "m.parquet")

    with pytest.raises(SourceError, match="holds bytes values; expected paths"):
        resolve("m.parquet")


def test_web_addresses_are_refused_wherever_they_stand_unless_allowed(write, resolve, names_of):
    addresses = ["http://127.0.0.1/a.jpg", "https://127.0.0.1/b.jpg", "simplecache::HTTP://127.0.0.1/c.jpg"]
    for address in addresses:
        write("m.txt", content=f"a.jpg\nb.jpg\n{address}\n".encode())

        with pytest.raises(SourceError, match="--allow-http"):
            resolve("m.txt")
        assert names_of("m.txt", allow_http=True) == ["a.jpg", "b.jpg", address]


def test_manifest_that_changed_since_it_was_checked_still_lets_no_web_address_through(write, tmp_path):
    write("m.txt", content=b"http://127.0.0.1/a.jpg\n")
    spec = SourceSpec("m.txt", str(tmp_path / "m.txt"))

    with pytest.raises(SourceError, match="--allow-http"):
        list(open_source(spec, Access()).items())


def test_entries_may_point_into_arrays_and_archives(write, items_of, tmp_path):
    np.save(tmp_path / "x.npy", np.full((20, 2, 2, 3), 0.5, np.float32))
    places = write_tar(tmp_path / "p.tar.gz", {"s/a.jpg": b"12345", "b": b"1"})
    write("m.txt", content=b"x.npy#17\np.tar.gz#s/a.jpg\np.tar.gz#gone.jpg\nnone.npy#3\nodd#name.jpg\n")

    assert [item.locator for item in items_of("m.txt")] == [
        ArrayLocator(str(tmp_path / "x.npy"), 17, 255.0),
        MemberLocator(str(tmp_path / "p.tar.gz"), "s/a.jpg", *places["s/a.jpg"]),
        MemberLocator(str(tmp_path / "p.tar.gz"), "gone.jpg", -1, 0),
        ArrayLocator(str(tmp_path / "none.npy"), 3, 1.0),
        FileLocator(str(tmp_path / "odd#name.jpg")),
    ]


def test_remote_manifest_has_entries_beside_it(memory, items_of):
    memory.pipe("/lists/m.txt", b"a.jpg\n")

    assert items_of("memory://lists/m.txt")[0].locator == FileLocator("memory://lists/a.jpg")
