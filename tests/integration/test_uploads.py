"""Uploads: what is kept, and what is refused without a trace."""

import errno
import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import UnknownUploadError, UploadError
from core.settings import Settings
from db.database import Database
from orchestrator.uploads import storing, unpacking
from orchestrator.uploads.storing import Uploads

MAX_BYTES = 100_000


@pytest.fixture
def uploads(ledger: Database, tmp_path: Path) -> Uploads:
    return Uploads(ledger, Settings(home=tmp_path, max_upload_bytes=MAX_BYTES, min_free_bytes=0))


def zipped(write: Callable[[zipfile.ZipFile], object]) -> list[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        write(archive)
    return [buffer.getvalue()]


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def files_of(uploads: Uploads, upload_id: str) -> dict[str, bytes]:
    return files_below(uploads.folder(upload_id))


def test_files_lie_in_the_folder_of_their_upload_and_are_counted(uploads: Uploads) -> None:
    upload = uploads.create("holiday", token_id=None)
    uploads.add(upload.id, "a.jpg", [b"12", b"345"])
    after = uploads.add(upload.id, "cats/b.jpg", [b"6"])
    assert files_of(uploads, upload.id) == {"a.jpg": b"12345", "cats/b.jpg": b"6"}
    assert (after.num_files, after.num_bytes, after.source) == (2, 6, f"upload:{upload.id}")


def test_a_zip_archive_is_unpacked_into_a_folder_of_its_name(uploads: Uploads) -> None:
    upload = uploads.create("pets", token_id=None)
    content = zipped(lambda archive: [archive.writestr("cats/1.jpg", b"cat"), archive.writestr("dogs/1.jpg", b"dog")])
    after = uploads.add(upload.id, "pets.zip", content)
    assert files_of(uploads, upload.id) == {"pets/cats/1.jpg": b"cat", "pets/dogs/1.jpg": b"dog"}
    assert (after.num_files, after.num_bytes) == (2, 6)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../a.jpg",
        "a/../../b.jpg",
        "a/",
        "a\0.jpg",
        "a\nb.jpg",
        "x" * 256,
        "d/" * 16 + "a",
        f"{'d' * 250}/" * 5 + "a",
        "\ud800.jpg",
    ],
)
def test_a_name_that_leads_elsewhere_or_can_be_none_is_refused(uploads: Uploads, tmp_path: Path, name: str) -> None:
    upload = uploads.create("bad", token_id=None)
    with pytest.raises(UploadError, match="as a file's name"):
        uploads.add(upload.id, name, [b"1"])
    assert files_of(uploads, upload.id) == {}
    assert not (tmp_path / "a.jpg").exists()


def test_a_name_comes_once(uploads: Uploads) -> None:
    upload = uploads.create("twice", token_id=None)
    uploads.add(upload.id, "a.jpg", [b"first"])
    for name in ("a.jpg", "a.jpg/b.jpg"):
        with pytest.raises(UploadError, match="already"):
            uploads.add(upload.id, name, [b"second"])
    assert files_of(uploads, upload.id) == {"a.jpg": b"first"}


def test_what_is_too_large_leaves_nothing_behind(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.create("large", token_id=None)
    uploads.add(upload.id, "a.jpg", [b"x" * (MAX_BYTES - 10)])
    with pytest.raises(UploadError, match="more than 10 bytes"):
        uploads.add(upload.id, "b.jpg", [b"x" * 6, b"x" * 6])
    assert list(files_of(uploads, upload.id)) == ["a.jpg"]
    assert files_below(tmp_path / "uploads" / ".incoming") == {}
    uploads.add(upload.id, "c.jpg", [b"x" * 10])


def test_a_bomb_is_stopped_while_it_grows(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.create("bomb", token_id=None)
    content = zipped(lambda archive: archive.writestr("zeros.png", b"\0" * 50_000_000))
    assert len(content[0]) < MAX_BYTES
    with pytest.raises(UploadError, match="hold more than"):
        uploads.add(upload.id, "bomb.zip", content)
    assert files_of(uploads, upload.id) == {}
    assert files_below(tmp_path / "uploads" / ".incoming") == {}


def test_a_bomb_that_lies_about_its_size_is_stopped_too(uploads: Uploads) -> None:
    upload = uploads.create("liar", token_id=None)
    (honest,) = zipped(lambda archive: archive.writestr("zeros.png", b"\0" * 5_000_000))
    lying = honest.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 10))
    assert lying != honest
    with pytest.raises(UploadError, match=r"hold more than|cannot be unpacked"):
        uploads.add(upload.id, "bomb.zip", [lying])
    assert files_of(uploads, upload.id) == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_that_would_be_unpacked_in_memory_is_refused(uploads: Uploads, method: int) -> None:
    upload = uploads.create("bomb", token_id=None)
    content = zipped(lambda archive: archive.writestr("zeros.png", b"\0" * 5_000_000, compress_type=method))
    with pytest.raises(UploadError, match="compressed by method"):
        uploads.add(upload.id, "bomb.zip", content)
    assert files_of(uploads, upload.id) == {}


@pytest.mark.parametrize("name", ["..zip", "...zip", "a/...zip"])
def test_an_archive_without_a_name_is_kept_as_it_is(uploads: Uploads, name: str) -> None:
    upload = uploads.create("nameless", token_id=None)
    uploads.add(upload.id, name, [b"1"])
    assert files_of(uploads, upload.id) == {name: b"1"}


def test_files_that_come_in_the_same_moment_share_the_limits(uploads: Uploads) -> None:
    upload = uploads.create("crowded", token_id=None)

    def others_are_faster() -> Iterator[bytes]:
        yield b"x" * 60_000
        uploads.add(upload.id, "b.jpg", [b"x" * 60_000])

    with pytest.raises(UploadError, match="in the same moment"):
        uploads.add(upload.id, "a.jpg", others_are_faster())
    assert list(files_of(uploads, upload.id)) == ["b.jpg"]


def test_files_that_come_while_their_upload_is_removed_are_not_left_behind(uploads: Uploads) -> None:
    upload = uploads.create("short", token_id=None)

    def others_remove_it() -> Iterator[bytes]:
        yield b"1"
        uploads.remove(upload.id)

    with pytest.raises(UnknownUploadError):
        uploads.add(upload.id, "a.jpg", others_remove_it())
    assert not uploads.folder(upload.id).exists()


def test_a_full_disk_is_said_so(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.create("full", token_id=None)

    def fills() -> Iterator[bytes]:
        yield b"1"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UploadError, match="disk for uploads is full"):
        uploads.add(upload.id, "a.jpg", fills())
    assert files_below(tmp_path / "uploads" / ".incoming") == {}


def linked(archive: zipfile.ZipFile) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(link, "/etc/passwd")


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.jpg", b"1")
    archive.writestr("a.jpg/b.jpg", b"2")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda archive: archive.writestr("../../escaped.jpg", b"1"), "as a file's name"),
        (lambda archive: archive.writestr("/escaped.jpg", b"1"), "as a file's name"),
        (linked, "link or a device"),
        (twice, "Two of the archive's files"),
    ],
)
def test_an_archive_that_escapes_is_refused_whole(
    uploads: Uploads, tmp_path: Path, write: Callable[[zipfile.ZipFile], object], message: str
) -> None:
    upload = uploads.create("escape", token_id=None)

    def with_a_good_file(archive: zipfile.ZipFile) -> None:
        archive.writestr("good.jpg", b"1")
        write(archive)

    with pytest.raises(UploadError, match=message):
        uploads.add(upload.id, "archive.zip", zipped(with_a_good_file))
    assert files_of(uploads, upload.id) == {}
    assert not list(tmp_path.rglob("escaped.jpg"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "cannot be unpacked"), (b"no archive", "cannot be unpacked"), (b"PK\x05\x06" + b"\0" * 18, "holds no file")],
)
def test_what_is_no_archive_is_refused(uploads: Uploads, content: bytes, message: str) -> None:
    upload = uploads.create("damaged", token_id=None)
    with pytest.raises(UploadError, match=message):
        uploads.add(upload.id, "archive.zip", [content])


def test_an_archive_with_too_long_a_list_is_not_read(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_DIRECTORY_BYTES", 5_000)
    upload = uploads.create("long", token_id=None)
    content = zipped(lambda archive: [archive.writestr(f"{number}.jpg", b"") for number in range(200)])
    with pytest.raises(UploadError, match="list of contents"):
        uploads.add(upload.id, "long.zip", content)


def test_an_upload_holds_so_many_files_and_no_more(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "MAX_FILES", 3)
    upload = uploads.create("many", token_id=None)
    uploads.add(upload.id, "0.jpg", [b""])
    three = zipped(lambda archive: [archive.writestr(f"{number}.jpg", b"") for number in range(3)])
    with pytest.raises(UploadError, match=r"3 files\. Expected at most 2"):
        uploads.add(upload.id, "three.zip", three)
    uploads.add(upload.id, "1.jpg", [b""])
    uploads.add(upload.id, "2.jpg", [b""])
    with pytest.raises(UploadError, match="3 files already"):
        uploads.add(upload.id, "3.jpg", [b""])
    assert sorted(files_of(uploads, upload.id)) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_removed_upload_is_gone_with_its_files(uploads: Uploads) -> None:
    upload = uploads.create("short", token_id=None)
    uploads.add(upload.id, "a.jpg", [b"1"])
    uploads.remove(upload.id)
    assert not uploads.folder(upload.id).exists()
    for act in (lambda: uploads.remove(upload.id), lambda: uploads.add(upload.id, "b.jpg", [b"1"])):
        with pytest.raises(UnknownUploadError, match="No upload"):
            act()
