"""Where jobs may read: by planners when a source is named, by readers whenever an item is read."""

import os
import sys
import threading

import fsspec
import numpy as np
import pytest
from containers import JPEG, write_tar

from core.errors import InputError, SourceError
from core.items import ArrayLocator, FileLocator, MemberLocator
from core.settings import Settings
from core.types import Reason
from orchestrator.datasets import open_dataset
from orchestrator.sources import SourceSpec, open_source
from workers.access import Access
from workers.ml.limits import ImageLimits
from workers.reading import ItemReader

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)


@pytest.fixture
def access(tmp_path, monkeypatch):
    """Only the folder `in` may be read, named by a link with dots in it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    monkeypatch.setenv("LABELYARD_SOURCE_ROOTS", f"{tmp_path}/x/../link/, memory://bucket/photos")
    return Access.of(Settings())


def refused(access, locator):
    with ItemReader(LIMITS, access) as reader, pytest.raises(InputError) as caught:
        reader.read(locator)
    assert caught.value.reason is Reason.NOT_ALLOWED
    assert caught.value.detail.endswith((".", ")."))
    return caught.value.detail


def test_folder_within_the_roots_is_read(write, resolve, access, tmp_path):
    write("in/P/a.jpg")

    (spec,) = resolve("in/P", access=access)

    (item,) = open_source(spec, access).items()
    with ItemReader(LIMITS, access) as reader:
        assert reader.read(item.locator) == JPEG
        assert reader.read(FileLocator(f"{tmp_path}/link/P/../P/a.jpg")) == JPEG


@pytest.mark.parametrize(
    "text",
    [
        "out",
        "out/a.jpg",
        "in/../out",
        "in/../out/*.jpg",
        "in/door",
        "in/door/a.jpg",
        "in/door/*.jpg",
        "in/a-link.jpg",
        "in-beside/a.jpg",
        "out/m.txt",
        "out/a.npy",
        "out/a.npy#0",
        "out/a.tar",
        "out/a.tar#a.jpg",
        "out/*.tar",
        "in/door/*.npy",
        "out/nothing-there",
        "/etc",
        "FILE:///etc/passwd",
        "memory://bucket/photos-of-others",
        "memory://bucket/photos/../others",
        "memory://elsewhere/photos",
        "s3://bucket/photos",
    ],
)
def test_source_outside_of_the_roots_is_refused_by_a_message_that_names_them(
    write, resolve, access, memory, tmp_path, text
):
    write("out/a.jpg", "in-beside/a.jpg")
    write("out/m.txt", content=b"a.jpg\n")
    np.save(tmp_path / "out/a.npy", np.zeros((1, 2, 2, 3), np.uint8))
    write_tar(tmp_path / "out/a.tar", {"a.jpg": JPEG}, "w:")
    (tmp_path / "in/door").symlink_to("../out")
    (tmp_path / "in/a-link.jpg").symlink_to("../out/a.jpg")
    memory.pipe("/bucket/photos-of-others/a.jpg", JPEG)

    with pytest.raises(SourceError, match=f"outside of what may be read here: {tmp_path}/in, memory://bucket/photos"):
        resolve(text, access=access)


def test_prefix_of_a_bucket_is_a_root(memory, names_of, access):
    memory.pipe("/bucket/photos/2024/a.jpg", JPEG)

    assert names_of("memory://bucket/photos/2024", access=access) == ["memory://bucket/photos/2024/a.jpg"]


@pytest.mark.parametrize(
    ("url", "root", "is_allowed"),
    [
        ("https://host/a/b.jpg?size=1", "https://host/a/", True),
        ("HTTPS://HOST:443/a/b.jpg", "https://host/a", True),
        ("https://host/a", "https://host", True),
        ("http://host/a/b.jpg", "https://host/a", False),
        ("https://host:444/a/b.jpg", "https://host/a", False),
        ("https://host.evil.org/a/b.jpg", "https://host/a", False),
        ("https://host@evil.org/a/b.jpg", "https://host/a", False),
        ("https://host/a/../c.jpg", "https://host/a", False),
        ("https://host/a/%2e%2e/c.jpg", "https://host/a", False),
        ("https://host/a/%252E%252e/c.jpg", "https://host/a", False),
        ("https://host/a/..%5cc.jpg", "https://host/a", False),
        ("https://host/a/b%2f..%2f..%2fc.jpg", "https://host/a", False),
        ("https://host/ab/c.jpg", "https://host/a", False),
        ("s3a://bucket/a/b.jpg", "s3://bucket/a", True),
        ("gs://bucket/a/b.jpg", "s3://bucket/a", False),
        ("s3://bucket/ab", "s3://bucket/a", False),
        ("/a/b.jpg", "https://host/a", False),
        ("https://host/a/b.jpg", "/", False),
    ],
)
def test_urls_are_below_a_root_by_whole_names(url, root, is_allowed):
    access = Access((root,))
    if is_allowed:
        access.require(url)
        return
    with pytest.raises(PermissionError, match="outside of what may be read"):
        access.require(url)


@pytest.mark.parametrize(
    "url",
    [
        "simplecache::file:///etc/passwd",
        "filecache::https://host/a.jpg",
        "zip://a.jpg::file:///etc/photos.zip",
        "tar://a.jpg::/etc/photos.tar",
        "reference://a.jpg::file:///etc/references.json",
        "dir::file:///etc",
        "ftp://host/a.jpg",
        "sftp://host/a.jpg",
        "git://etc:master@a.jpg",
        "github://org:repo@/a.jpg",
        "data:text/plain;base64,AAAA://",
        "libarchive://a.jpg",
        "smb://host/a.jpg",
    ],
)
def test_chains_and_other_file_systems_are_refused_even_without_roots(resolve, url):
    with pytest.raises(SourceError, match=r"is refused|does not exist|holds a password"):
        resolve(url, allow_http=True)
    with ItemReader(LIMITS, Access()) as reader, pytest.raises(InputError) as caught:
        reader.read(FileLocator(url))
    assert caught.value.reason in (Reason.NOT_ALLOWED, Reason.NOT_FOUND)
    assert (caught.value.reason is Reason.NOT_FOUND) is url.startswith("data:")


def test_links_that_lead_out_become_error_rows_of_their_own_reason(write, resolve, access, tmp_path):
    write("out/a.jpg", "in/b.jpg")
    (tmp_path / "in/a.jpg").symlink_to(tmp_path / "out/a.jpg")
    (tmp_path / "in/z.jpg").symlink_to("b.jpg")
    (spec,) = resolve("in", access=access)

    first, second, last = open_source(spec, access).items()

    with ItemReader(LIMITS, access) as reader:
        assert reader.read(second.locator) == JPEG
        assert reader.read(last.locator) == JPEG
    assert f"which leads to {tmp_path}/out/a.jpg" in refused(access, first.locator)


def test_lines_of_a_manifest_that_lead_out_become_error_rows(write, resolve, access, memory, tmp_path):
    lines = ["b.jpg", "../out/a.jpg", f"{tmp_path}/out/a.jpg", f"file://{tmp_path}/out/a.jpg", "../out/a.npy#0"]
    lines += ["../out/a.tar#a.jpg", "memory://others/a.jpg", "simplecache::file:///etc/passwd"]
    write("in/b.jpg", "out/a.jpg")
    write("in/m.txt", content="\n".join(lines).encode())
    np.save(tmp_path / "out/a.npy", np.zeros((1, 2, 2, 3), np.uint8))
    write_tar(tmp_path / "out/a.tar", {"a.jpg": JPEG}, "w:")
    memory.pipe("/others/a.jpg", JPEG)
    (spec,) = resolve("in/m.txt", access=access)

    first, *others = open_source(spec, access).items()

    with ItemReader(LIMITS, access) as reader:
        assert reader.read(first.locator) == JPEG
    assert [item.name for item in others] == lines[1:]
    for item in others:
        if isinstance(item.locator, MemberLocator):
            # The planner has not looked into the archive either.
            assert item.locator.offset < 0
            continue
        refused(access, item.locator)


def test_job_that_was_accepted_elsewhere_is_read_within_the_roots_of_this_worker(access, memory, tmp_path):
    (tmp_path / "out").mkdir()
    for mode in ("w:", "w:gz"):
        place = write_tar(tmp_path / "out/a.tar", {"a.jpg": JPEG}, mode)["a.jpg"]
        refused(access, MemberLocator(str(tmp_path / "out/a.tar"), "a.jpg", *place))
    np.save(tmp_path / "out/a.npy", np.zeros((1, 2, 2, 3), np.uint8))
    memory.pipe("/others/a.npy", (tmp_path / "out/a.npy").read_bytes())

    refused(access, ArrayLocator(str(tmp_path / "out/a.npy"), 0, 1.0))
    refused(access, ArrayLocator("memory://others/a.npy", 0, 1.0))
    refused(access, FileLocator("/etc/hostname"))
    refused(access, FileLocator("/proc/self/environ"))


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are looked at where Linux shows them")
def test_link_that_is_turned_again_and_again_never_leads_out(write, access, tmp_path):
    write("in/real/a.jpg")
    write("out/a.jpg", content=b"secret")
    turning = tmp_path / "in/turning"
    turning.symlink_to("real")
    has_ended = threading.Event()

    def turn():
        targets = [tmp_path / "out", tmp_path / "in/real"]
        while not has_ended.is_set():
            (tmp_path / "in/next").symlink_to(targets[0])
            (tmp_path / "in/next").replace(turning)
            targets.reverse()

    thread = threading.Thread(target=turn)
    thread.start()
    seen = set()
    try:
        with ItemReader(LIMITS, access) as reader:
            for _ in range(3000):
                try:
                    seen.add(reader.read(FileLocator(f"{turning}/a.jpg")))
                except InputError as error:
                    seen.add(error.reason)
    finally:
        has_ended.set()
        thread.join()

    assert seen == {JPEG, Reason.NOT_ALLOWED}


def test_descriptor_is_looked_at_after_a_link_was_put_in_its_way(write, access, tmp_path, monkeypatch):
    write("in/a.jpg")
    write("out/a.jpg", content=b"secret")
    monkeypatch.setattr(os.path, "realpath", lambda _: str(tmp_path / "in/a.jpg"))  # what was true before the exchange
    (tmp_path / "in/a.jpg").unlink()
    (tmp_path / "in/a.jpg").symlink_to(tmp_path / "out/a.jpg")

    refused(access, FileLocator(str(tmp_path / "in/a.jpg")))
    # And where no descriptor shows its path.
    monkeypatch.setattr("workers.access._PROC_FILES", "/nowhere")
    refused(access, FileLocator(str(tmp_path / "in/a.jpg")))


def test_datasets_are_within_the_roots_too(write, access, tmp_path):
    write("out/d/a/1.jpg", "out/d/b/1.jpg", "in/d/a/1.jpg", "in/d/b/1.jpg")
    write("out/m.csv", content=b"image,label\nd/a/1.jpg,a\nd/b/1.jpg,b\n")
    write("in/m.csv", content=b"image,label\nd/a/1.jpg,a\n../out/d/b/1.jpg,b\n")
    np.save(tmp_path / "out/x.npy", np.zeros((2, 2, 2, 3), np.uint8))
    np.save(tmp_path / "out/y.npy", np.zeros(2, np.int64))
    for text in ("out/d", "out/m.csv", "out/x.npy,out/y.npy", "in/../out/d", "memory://others/d", "dir::file:///etc"):
        with pytest.raises(SourceError, match=r"outside of what may be read here|chains file systems"):
            open_dataset(text, access, cwd=tmp_path)

    assert len(open_dataset("in/d", access, cwd=tmp_path).items) == 2
    with pytest.raises(SourceError, match="outside of what may be read here"):
        open_dataset("in/d", access, val="out/d", cwd=tmp_path)
    _, outside = open_dataset("in/m.csv", access, cwd=tmp_path).items
    refused(access, outside.item.locator)


def test_nothing_is_listed_or_opened_outside_of_the_roots(access, tmp_path):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out/a.jpg")

    with pytest.raises(SourceError, match="outside"):
        open_source(SourceSpec("out", str(tmp_path / "out")), access)
    refused(access, FileLocator(str(tmp_path / "out/a.jpg")))
    refused(access, FileLocator(str(tmp_path / "out/nothing")))


def test_without_roots_everything_local_and_every_bucket_is_allowed(tmp_path):
    access = Access()
    for location in ("/etc/hostname", str(tmp_path), "s3://any/thing", "memory://any", "https://host/a.jpg"):
        access.require(location)
    assert fsspec.available_protocols()  # more than those that are allowed
