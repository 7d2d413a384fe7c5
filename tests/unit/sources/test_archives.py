import os
import tarfile
import tracemalloc

import numpy as np
import pytest
from containers import JPEG, write_tar

from core.errors import SourceError
from core.items import ArrayLocator, MemberLocator
from orchestrator.sources import SourceSpec, open_source
from workers.access import Access


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w:"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("z.TAR", "w:"),
    ],
)
def test_images_of_an_archive_come_in_its_order_with_their_places(items_of, tmp_path, name, mode):
    members = {"b/2.jpg": JPEG, "1.cls": b"7", "a": JPEG, "\udcff.png": b"x" * 1024, "last.heic": b""}
    places = write_tar(tmp_path / name, members, mode)

    items = items_of(name)

    assert [item.name for item in items] == [f"{name}#{member}" for member in members if member != "1.cls"]
    assert [item.locator for item in items] == [
        MemberLocator(str(tmp_path / name), member, *places[member]) for member in members if member != "1.cls"
    ]


def test_what_is_no_plain_file_or_no_image_is_counted_and_hidden_members_are_left_out(resolve, tmp_path):
    (tmp_path / "P").mkdir()
    for name in ("a.jpg", ".hidden.jpg", "._a.jpg"):
        (tmp_path / "P" / name).write_bytes(JPEG)
    (tmp_path / "P/notes.txt").write_bytes(b"no image")
    (tmp_path / "P/link.jpg").symlink_to("a.jpg")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "P", "./P")
    source = open_source(resolve("a.tar")[0], Access())

    assert [item.name for item in source.items()] == ["a.tar#./P/a.jpg"]
    assert source.num_skipped == 1


def test_one_member_can_be_named(items_of, resolve, tmp_path):
    places = write_tar(tmp_path / "a.tar", {"s/a.jpg": JPEG, "b.jpg": JPEG}, "w:")

    (item,) = items_of("a.tar#b.jpg")

    assert item.name == "a.tar#b.jpg"
    assert item.locator == MemberLocator(str(tmp_path / "a.tar"), "b.jpg", *places["b.jpg"])
    with pytest.raises(SourceError, match="there is no file"):
        resolve("none.tar#b.jpg")


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\x1f\x8b\x08 no gzip either"])
def test_what_is_no_archive_is_refused(write, resolve, content):
    write("a.tar", content=content)

    with pytest.raises(SourceError, match=r"cannot be read as a tar archive|holds no image"):
        resolve("a.tar")


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_archive_that_was_cut_off_is_an_error_behind_its_last_whole_image(tmp_path, mode):
    write_tar(tmp_path / "a.tar", {f"{number}.jpg": os.urandom(3000) for number in range(20)}, mode)
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: len(data) // 2])
    names = []

    with pytest.raises(SourceError, match="Check that it is complete"):
        names.extend(item.name for item in open_source(SourceSpec("a.tar", str(tmp_path / "a.tar")), Access()).items())


def test_garbage_between_members_is_an_error_and_not_the_end(tmp_path):
    write_tar(tmp_path / "a.tar", {f"{number}.jpg": b"x" * 512 for number in range(4)}, "w:")
    data = bytearray((tmp_path / "a.tar").read_bytes())
    data[2048:2560] = b"garbage!" * 64
    (tmp_path / "a.tar").write_bytes(data)

    with pytest.raises(SourceError, match="no readable header at byte 2048"):
        list(open_source(SourceSpec("a.tar", str(tmp_path / "a.tar")), Access()).items())


def test_memory_does_not_grow_with_the_number_of_members(tmp_path):
    def peak(num_members):
        write_tar(tmp_path / "a.tar", {f"{number}.jpg": b"" for number in range(num_members)}, "w:")
        source = open_source(SourceSpec("a.tar", str(tmp_path / "a.tar")), Access())
        tracemalloc.start()
        assert sum(1 for _ in source.items()) == num_members
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(4000) < peak(500) + 100_000


def test_pattern_of_archives_is_one_source_per_match(names_of, tmp_path):
    for number in (2, 1):
        write_tar(tmp_path / f"shard-{number}.tar", {"a.jpg": JPEG}, "w:")

    assert names_of("shard-*.tar") == ["shard-1.tar#a.jpg", "shard-2.tar#a.jpg"]


def test_remote_archives_and_arrays_are_enumerated(memory, items_of, tmp_path):
    places = write_tar(tmp_path / "a.tgz", {"a.jpg": JPEG})
    memory.pipe("/shards/a.tgz", (tmp_path / "a.tgz").read_bytes())
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2, 3), np.uint8))
    memory.pipe("/shards/a.npy", (tmp_path / "a.npy").read_bytes())

    assert items_of("memory://shards/a.tgz")[0].locator == MemberLocator(
        "memory://shards/a.tgz", "a.jpg", *places["a.jpg"]
    )
    assert items_of("memory://shards/a.npy#1")[0].locator == ArrayLocator("memory://shards/a.npy", 1, 1.0)
    assert len(items_of("memory://shards/*.npy")) == 2


@pytest.mark.parametrize(
    ("dtype", "brightest", "scale"), [("u1", 255, 1.0), ("f4", 255, 1.0), ("f8", 1, 255.0), ("f2", 1, 255.0)]
)
def test_items_of_an_array_are_numbered_and_share_one_scale(items_of, tmp_path, dtype, brightest, scale):
    array = np.zeros((12, 2, 3, 3), dtype)
    array[5] = brightest
    np.save(tmp_path / "a.npy", array)

    items = items_of("a.npy")

    assert [item.name for item in items] == [f"a.npy#{index}" for index in range(12)]
    assert [item.locator for item in items] == [
        ArrayLocator(str(tmp_path / "a.npy"), index, scale) for index in range(12)
    ]
    assert items_of("a.npy#5") == [type(items[5])("a.npy#5", items[5].locator, "0")]


def test_array_with_other_channels_is_left_to_become_error_rows(names_of, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 3, 8, 8), np.float32))

    assert len(names_of("a.npy")) == 3


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), r"has the shape \(8, 8, 3\); expected four axes"),
        (np.zeros(5), r"has the shape \(5,\)"),
        (np.zeros((1, 2, 2, 3), np.int64), "holds int64 values; expected uint8"),
        (np.zeros((1, 2, 2, 3), bool), "holds bool values"),
        (np.asfortranarray(np.zeros((4, 5, 6, 3), np.uint8)), "Fortran order"),
        (np.zeros((0, 2, 2, 3), np.uint8), "holds no image"),
    ],
)
def test_array_that_can_hold_no_images_is_refused(resolve, tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)

    with pytest.raises(SourceError, match=message):
        resolve("a.npy")


def test_file_that_is_no_array_is_refused(write, resolve):
    write("a.npy", content=b"this is text")

    with pytest.raises(SourceError, match=r"is not an \.npy array"):
        resolve("a.npy")


def test_pickled_objects_are_refused_without_being_loaded(resolve, tmp_path):
    np.save(tmp_path / "a.npy", np.full((1, 2, 2, 3), None), allow_pickle=True)

    with pytest.raises(SourceError, match="holds object values"):
        resolve("a.npy")


def test_float_array_that_was_cut_off_is_refused(resolve, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 8, 8, 3), np.float32))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:-100])

    with pytest.raises(SourceError, match="cut short"):
        resolve("a.npy")
