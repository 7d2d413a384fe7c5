"""Images in processes of their own. The faults are real ones; `hostile_decoder` puts them in front of OpenCV."""

import bz2
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hostile import REASONS, hostile_environment, make_hostile
from pictures import encoded, scene
from program import wait_for

from core.errors import InputError
from core.items import ArrayLocator, FileLocator, MemberLocator
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import Reason, ResizeMode
from workers.images.isolation import IsolatedImages
from workers.images.loading import build_image_loader

CONTRACT = PreprocessingContract((32, 40))
CONTRACTS = (CONTRACT, PreprocessingContract((24, 24), ResizeMode.PAD))


@pytest.fixture
def images(monkeypatch):
    for name, value in hostile_environment({"LABELYARD_MAX_IMAGE_S": "2"}).items():
        monkeypatch.setenv(name, value)
    with IsolatedImages(num_processes=2, max_image_s=Settings().max_image_s) as images:
        yield images


def picture_at(path: Path, kind: str | None = None) -> FileLocator:
    path.write_bytes(encoded(scene(90, 120), ".jpg"))
    if kind is not None:
        make_hostile(path, kind)
    return FileLocator(str(path))


def pids(images: IsolatedImages) -> list[int]:
    return [process._process.pid for process in images._processes if process._process is not None]


def test_isolated_images_have_the_pixels_that_they_have_elsewhere(images, tmp_path):
    locator = picture_at(tmp_path / "a.jpg")
    here = build_image_loader(Settings())

    assert images.read(locator) == here.read(locator)
    isolated, direct = images.prepare(locator, CONTRACTS), here.prepare(locator, CONTRACTS)
    for contract in CONTRACTS:
        assert np.array_equal(isolated[contract], direct[contract])


def test_items_of_arrays_have_them_too(images, tmp_path):
    np.save(tmp_path / "a.npy", np.stack([scene(), scene() // 2]))
    locator = ArrayLocator(str(tmp_path / "a.npy"), 1, 1.0)

    assert np.array_equal(images.read(locator), scene() // 2)
    direct = build_image_loader(Settings()).prepare(locator, CONTRACTS)
    assert np.array_equal(images.prepare(locator, CONTRACTS)[CONTRACT], direct[CONTRACT])


def test_what_is_wrong_with_an_image_is_said_in_the_same_words(images, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("text.jpg", "missing.jpg"):
        said = []
        for way in (images, build_image_loader(Settings())):
            with pytest.raises(InputError) as caught:
                way.prepare(FileLocator(str(tmp_path / name)), CONTRACTS)
            said.append((caught.value.reason, caught.value.detail))
        assert said[0] == said[1]


@pytest.mark.parametrize("kind", REASONS)
def test_an_image_that_kills_its_process_is_an_input_error_and_the_next_one_has_another(images, tmp_path, kind):
    with pytest.raises(InputError) as caught:
        images.prepare(picture_at(tmp_path / "bad.jpg", kind), CONTRACTS)

    assert caught.value.reason is Reason(REASONS[kind])
    assert images.prepare(picture_at(tmp_path / "good.jpg"), CONTRACTS)[CONTRACT].any()


def test_an_image_that_kills_its_process_harms_none_that_is_decoded_at_the_same_time(images, tmp_path):
    good = [picture_at(tmp_path / f"{number}.jpg") for number in range(40)]
    bad = [picture_at(tmp_path / f"bad{number}.jpg", "segfault") for number in range(4)]
    failed, lock = [], threading.Lock()

    def prepare(locator: FileLocator) -> None:
        try:
            images.prepare(locator, CONTRACTS)
        except InputError:
            with lock:
                failed.append(locator)

    mixed = [locator for number in range(4) for locator in (bad[number], *good[number * 10 : number * 10 + 10])]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, mixed))
    assert set(failed) == set(bad)


def test_no_more_processes_are_started_than_are_needed_and_none_is_left(images, tmp_path):
    images.prepare(picture_at(tmp_path / "a.jpg"), CONTRACTS)
    (pid,) = pids(images)

    images.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_member_behind_much_that_is_unpacked_first_is_read(images, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_max_image_s", 0.1)
    data, before = encoded(scene(), ".jpg"), 96 * 1024**2
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(bytes(before) + data, 1))

    assert images.read(MemberLocator(str(tmp_path / "a.tar.bz2"), "a.jpg", before, len(data))) == data


def test_an_image_is_not_blamed_for_a_process_that_ended_before_it(images, tmp_path):
    locator = picture_at(tmp_path / "a.jpg")
    images.prepare(locator, CONTRACTS)
    (process,) = [process._process for process in images._processes if process._process is not None]
    process.kill()
    process.wait()

    assert images.prepare(locator, CONTRACTS)[CONTRACT].any()


def test_none_is_left_of_a_thread_that_nobody_waits_for(images, tmp_path):
    data = images.read(picture_at(tmp_path / "bad.jpg", "hang"))
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(images.fill, data, {CONTRACT: np.empty((*CONTRACT.size_hw, 3), np.uint8)})
        wait_for(lambda: images._idle.qsize() == 1, "the thread to be on it")
        images.close()

        assert pids(images) == []
        assert hung.exception(timeout=0).reason is Reason.TIMED_OUT
    with pytest.raises(InputError):
        images.read(picture_at(tmp_path / "good.jpg"))
    assert pids(images) == []


def test_a_process_for_images_does_not_know_the_database(images, tmp_path, monkeypatch):
    monkeypatch.setenv("LABELYARD_DATABASE_URL", "postgresql://anna:secret@127.0.0.1/ledger")
    monkeypatch.setenv("LABELYARD_BROKER_URL", "redis://:secret@127.0.0.1")

    images.prepare(picture_at(tmp_path / "a.jpg"), CONTRACTS)
    (pid,) = pids(images)
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
