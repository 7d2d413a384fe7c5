import os
import random
from contextlib import closing
from pathlib import Path

import pytest
from containers import JPEG

from core.errors import SourceError
from core.items import FileLocator
from orchestrator.sources import open_source, resolve_sources
from orchestrator.sources.folders import FolderSource
from orchestrator.sources.trees import LocalTree
from workers.access import Access


def test_folder_is_walked_to_the_bottom_in_the_order_of_names(write, names_of):
    write("P/b.jpg", "P/a/z.jpg", "P/a/b/c.jpg", "P/c/x.jpg", "P/a.jpg", "P/B.jpg", "P/a-1.jpg")

    assert names_of("P") == ["P/B.jpg", "P/a/b/c.jpg", "P/a/z.jpg", "P/a-1.jpg", "P/a.jpg", "P/b.jpg", "P/c/x.jpg"]


def test_names_begin_as_the_source_was_given_and_locators_are_absolute(write, items_of, names_of, tmp_path):
    write("P/a.jpg")

    assert items_of("P")[0].locator == FileLocator(str(tmp_path / "P" / "a.jpg"))
    assert items_of("P/")[0].locator == FileLocator(str(tmp_path / "P" / "a.jpg"))
    assert names_of("P/") == ["P/a.jpg"]
    assert names_of("./P") == ["./P/a.jpg"]
    assert names_of(str(tmp_path / "P")) == [f"{tmp_path}/P/a.jpg"]
    assert names_of(f"file://{tmp_path}/P") == [f"file://{tmp_path}/P/a.jpg"]
    assert names_of(".") == ["./P/a.jpg"]


def test_names_of_any_bytes_survive(write, items_of):
    names = [
        b"P/\xff\xfe.jpg",
        b"P/new\nline/a\\b.jpg",
        b"P/quo\"te's, and commas.jpg",
        "P/ä.jpg".encode(),
        b"P/\xe4/a.jpg",
    ]
    write(*names)

    items = items_of("P")

    assert sorted(os.fsencode(item.name) for item in items) == sorted(names)
    assert all(Path(item.locator.uri).exists() for item in items)


def test_source_whose_own_name_is_not_utf8_survives(write, names_of):
    write(b"\xff/a.jpg")

    assert names_of(os.fsdecode(b"\xff")) == [os.fsdecode(b"\xff/a.jpg")]


def test_images_are_told_by_name_or_by_content_and_the_rest_is_counted(write, resolve):
    write("P/a.JPG", "P/without-name", "P/wrong.txt")
    write("P/empty.png", content=b"")
    write("P/photo.heic", "P/layers.psd", content=b"of a kind that is not supported")
    write("P/notes.txt", "P/film.mp4", "P/data", content=b"no image")
    write("P/scan.pdf", content=b"%PDF-1.7")
    source = open_source(resolve("P")[0], Access())

    names = [item.name for item in source.items()]

    assert names == ["P/a.JPG", "P/empty.png", "P/layers.psd", "P/photo.heic", "P/without-name", "P/wrong.txt"]
    assert source.num_skipped == 4


def test_hidden_files_and_folders_are_no_part_of_a_folder(write, names_of):
    write("P/.a.jpg", "P/.thumbnails/a.jpg", "P/a.jpg", "P/._a.jpg")

    assert names_of("P") == ["P/a.jpg"]


def test_hidden_folder_can_be_asked_for(write, names_of):
    write(".P/a.jpg")

    assert names_of(".P") == [".P/a.jpg"]


def test_linked_files_are_followed_and_linked_folders_are_counted(write, resolve, tmp_path):
    write("P/sub/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "P/link.jpg").symlink_to("sub/a.jpg")
    (tmp_path / "P/loop").symlink_to(".")
    (tmp_path / "P/other").symlink_to(tmp_path / "elsewhere")
    source = open_source(resolve("P")[0], Access())

    assert [item.name for item in source.items()] == ["P/link.jpg", "P/sub/a.jpg"]
    assert source.num_skipped == 2


def test_source_that_is_itself_a_link_is_followed(write, names_of, tmp_path):
    write("P/a.jpg")
    (tmp_path / "Q").symlink_to("P")

    assert names_of("Q") == ["Q/a.jpg"]


@pytest.mark.timeout(20)
def test_what_is_named_like_an_image_but_is_no_file_is_left_to_become_an_error_row(write, names_of, tmp_path):
    write("P/a.jpg")
    os.mkfifo(tmp_path / "P/pipe.jpg")
    os.mkfifo(tmp_path / "P/pipe")
    (tmp_path / "P/broken.jpg").symlink_to("nowhere")

    assert names_of("P") == ["P/a.jpg", "P/broken.jpg", "P/pipe.jpg"]


def test_two_files_of_the_same_content_are_two_items(write, names_of):
    write("P/a.jpg", "P/b.jpg")

    assert len(names_of("P", "P")) == 4


def test_walk_is_the_same_whatever_the_size_of_a_run_and_can_be_taken_up_after_any_file(write, tmp_path):
    generator = random.Random(4)
    parts = [bytes([generator.randrange(1, 256)]) for _ in range(12)]
    names = set()
    while len(names) < 120:
        path = b"/".join(part for part in generator.choices(parts, k=generator.randrange(1, 4)) if part not in b"/.")
        names.add(b"P/" + path + b"-%d.jpg" % len(names))
    write(*names)

    def walk(run_size, after=None):
        source = FolderSource(LocalTree(Access()), str(tmp_path / "P"), "P", run_size=run_size)
        with closing(source.items(after)) as items:
            return list(items)

    whole = walk(50_000)
    assert {os.fsencode(item.name) for item in whole} == names
    assert walk(2) == whole
    for position in range(0, len(whole), 7):
        assert walk(3, after=whole[position].cursor) == whole[position + 1 :]


def test_walk_goes_on_behind_a_file_that_was_deleted_meanwhile(write, resolve, tmp_path):
    write("P/a.jpg", "P/b/c.jpg", "P/d.jpg")
    (spec,) = resolve("P")
    cursor = list(open_source(spec, Access()).items())[1].cursor
    (tmp_path / "P/b/c.jpg").unlink()
    (tmp_path / "P/b").rmdir()

    assert [item.name for item in open_source(spec, Access()).items(cursor)] == ["P/d.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_that_may_not_be_read_is_an_error_and_not_silence(write, resolve, tmp_path):
    write("P/a.jpg", "P/b/c.jpg")
    (tmp_path / "P/b").chmod(0)
    try:
        with pytest.raises(SourceError, match="P/b cannot be read"):
            list(open_source(resolve("P")[0], Access()).items())
    finally:
        (tmp_path / "P/b").chmod(0o755)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("P/*.jpg", ["P/a.jpg"]),
        ("P/*", ["P/a.jpg", "P/b.png", "P/s/c.jpg", "P/s/t/d.jpg"]),
        ("P/**/*.jpg", ["P/a.jpg", "P/s/c.jpg", "P/s/t/d.jpg"]),
        ("P/**", ["P/a.jpg", "P/b.png", "P/s/c.jpg", "P/s/t/d.jpg"]),
        ("P/*/*.jpg", ["P/s/c.jpg"]),
        ("P/[ab].*", ["P/a.jpg", "P/b.png"]),
        ("P/?.jpg", ["P/a.jpg"]),
        ("P/s/t", ["P/s/t/d.jpg"]),
        ("**/t/*", ["P/s/t/d.jpg"]),
        ("P/.h/*.jpg", ["P/.h/e.jpg"]),
        ("P/.*/*.jpg", ["P/.h/e.jpg"]),
        ("P/s/", ["P/s/c.jpg", "P/s/t/d.jpg"]),
    ],
)
def test_patterns_match_as_in_a_shell(write, names_of, pattern, expected):
    write("P/a.jpg", "P/b.png", "P/s/c.jpg", "P/s/t/d.jpg", "P/.h/e.jpg")
    write("P/notes.txt", content=b"no image")

    assert names_of(pattern) == expected


def test_absolute_patterns_match(write, names_of, tmp_path):
    write("P/a.jpg")

    assert names_of(f"{tmp_path}/*/a.jpg") == [f"{tmp_path}/P/a.jpg"]


def test_file_whose_name_looks_like_a_pattern_is_itself(write, names_of):
    write("a[1].jpg", "a1.jpg")

    assert names_of("a[1].jpg") == ["a[1].jpg"]


def test_brackets_in_the_working_folders_name_are_no_pattern(write, tmp_path):
    write("[x]/a.jpg", "x/b.jpg")
    (spec,) = resolve_sources(["*.jpg"], Access(), cwd=tmp_path / "[x]")

    assert [item.name for item in open_source(spec, Access()).items()] == ["a.jpg"]


def test_object_store_is_walked_like_a_folder(memory, items_of, names_of):
    for name in ("b.jpg", "sub/c.jpg", "a.jpg", "sub/deep/d.png", ".hidden/e.jpg"):
        memory.pipe(f"/photos/{name}", JPEG)
    memory.pipe("/photos/notes.txt", b"no image")
    memory.pipe("/photos/unnamed", JPEG)

    expected = ["a.jpg", "b.jpg", "sub/c.jpg", "sub/deep/d.png", "unnamed"]
    assert names_of("memory://photos") == [f"memory://photos/{name}" for name in expected]
    assert names_of("memory://photos/") == [f"memory://photos/{name}" for name in expected]
    assert names_of("memory://photos/**/*.jpg") == [f"memory://photos/{name}" for name in expected[:3]]
    assert items_of("memory://photos")[0].locator == FileLocator("memory://photos/a.jpg")
