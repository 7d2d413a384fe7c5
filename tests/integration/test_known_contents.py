"""Files that have not changed are not read again, and all others are."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.items import ArrayLocator, FileLocator, Locator
from core.settings import Settings
from core.types import Reason
from db.contents import Content, count_contents, find_contents, prune_contents, save_contents
from db.database import Database
from workers.features import known as known_module
from workers.features.known import KnownContents
from workers.images.loading import ImageLoader, build_image_loader


class CountingLoader(ImageLoader):
    """The real one, and which files it was asked to read."""

    def __init__(self) -> None:
        real = build_image_loader(Settings())
        super().__init__(real._reader, real._decoder)
        self.num_read = 0

    def read(self, locator: Locator) -> bytes | np.ndarray:
        self.num_read += 1
        return super().read(locator)


@pytest.fixture
def loader() -> CountingLoader:
    return CountingLoader()


@pytest.fixture
def photo(tmp_path: Path) -> FileLocator:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"first")
    return FileLocator(str(path))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if files had been left alone for long enough."""
    monkeypatch.setattr(known_module, "SETTLED_AFTER_S", -1.0)


def look(ledger: Database, loader: CountingLoader, locator: Locator) -> tuple[KnownContents, str]:
    """Open one image as a chunk does; its hash."""
    contents = KnownContents(ledger, loader)
    contents.look_up([locator])
    opened = contents.open(locator)
    contents.save()
    assert opened.key is not None
    return contents, opened.key.sha256


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def overwrite(locator: FileLocator) -> None:
    Path(locator.uri).write_bytes(b"other")


def overwrite_and_set_the_time_back(locator: FileLocator) -> None:
    before = Path(locator.uri).stat()
    overwrite(locator)
    os.utime(locator.uri, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(locator: FileLocator) -> None:
    other = Path(locator.uri).with_name("other")
    other.write_bytes(b"other")
    other.replace(locator.uri)


@pytest.mark.usefixtures("settled")
def test_a_file_that_has_not_changed_is_read_once(ledger: Database, loader: CountingLoader, photo: FileLocator):
    hashes = {look(ledger, loader, photo)[1] for _ in range(3)}
    assert (hashes, loader.num_read) == ({sha256_of(b"first")}, 1)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [overwrite, overwrite_and_set_the_time_back, exchange])
def test_a_file_that_was_changed_is_read_again_whatever_its_time_and_size_say(
    ledger: Database, loader: CountingLoader, photo: FileLocator, change: Callable[[FileLocator], None]
):
    look(ledger, loader, photo)
    change(photo)
    assert look(ledger, loader, photo)[1] == sha256_of(b"other")
    assert look(ledger, loader, photo)[1] == sha256_of(b"other")
    assert loader.num_read == 2


def test_a_file_that_was_changed_just_now_is_not_trusted(ledger: Database, loader: CountingLoader, photo: FileLocator):
    for _ in range(2):
        look(ledger, loader, photo)
    assert loader.num_read == 2


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_read_is_not_noted(
    ledger: Database, loader: CountingLoader, photo: FileLocator, monkeypatch: pytest.MonkeyPatch
):
    read = loader.read

    def read_and_change(locator: Locator) -> bytes | np.ndarray:
        data = read(locator)
        overwrite(photo)
        return data

    monkeypatch.setattr(loader, "read", read_and_change)
    assert look(ledger, loader, photo)[1] == sha256_of(b"first")
    monkeypatch.undo()
    assert look(ledger, loader, photo)[1] == sha256_of(b"other")


@pytest.mark.usefixtures("settled")
def test_an_image_that_is_another_when_its_pixels_are_wanted_says_so(
    ledger: Database, loader: CountingLoader, photo: FileLocator
):
    look(ledger, loader, photo)
    contents, _ = look(ledger, loader, photo)
    assert contents.read(photo) == b"first"
    overwrite(photo)
    with pytest.raises(InputError, match="that was meant") as raised:
        contents.read(photo)
    assert raised.value.reason is Reason.UNREADABLE


def test_a_file_that_is_gone_is_missed_although_its_content_is_known(
    ledger: Database, loader: CountingLoader, photo: FileLocator, settled: None
):
    del settled
    look(ledger, loader, photo)
    Path(photo.uri).unlink()
    with pytest.raises(InputError) as raised:
        look(ledger, loader, photo)
    assert raised.value.reason is Reason.NOT_FOUND


@pytest.mark.usefixtures("settled")
def test_items_of_arrays_are_read_each_time(ledger: Database, loader: CountingLoader, tmp_path: Path):
    np.save(tmp_path / "images.npy", np.zeros((2, 4, 4, 3), np.uint8))
    item = ArrayLocator(str(tmp_path / "images.npy"), 1, 1.0)
    assert look(ledger, loader, item)[1] == look(ledger, loader, item)[1]
    assert loader.num_read == 2


def test_what_is_noted_last_counts_and_can_be_forgotten(ledger: Database):
    with ledger.write() as session:
        save_contents(session, [("b", Content("1", "x")), ("a", Content("1", "y"))])
        save_contents(session, [("a", Content("2", "z"))])
    with ledger.write() as session:
        assert find_contents(session, ["a", "b", "c"]) == {"a": Content("2", "z"), "b": Content("1", "x")}
        assert prune_contents(session, older_than_s=3600, limit=10) == 0
        assert prune_contents(session, older_than_s=None, limit=1) == 1
        assert count_contents(session) == 1
