import os
import socket
import threading
from collections.abc import Iterator
from importlib.util import find_spec

import fsspec
import numpy as np
import pytest
from containers import served, write_tar

from core.errors import InputError
from core.items import ArrayLocator, FileLocator, MemberLocator
from core.types import Reason
from workers.access import Access
from workers.ml.limits import ImageLimits
from workers.reading import ItemReader

LIMITS = ImageLimits(max_bytes=5000, max_pixels=10**4)
# The web servers of tests are on this machine.
ACCESS = Access(allow_private_hosts=True)


@pytest.fixture
def reader() -> Iterator[ItemReader]:
    with ItemReader(LIMITS, ACCESS) as reader:
        yield reader


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://reading"
    fsspec.filesystem("memory").store.clear()


def reason_of(reader, locator):
    with pytest.raises(InputError) as caught:
        reader.read(locator)
    assert caught.value.detail.endswith((".", ")."))
    return caught.value.reason


@pytest.mark.parametrize("name", [b"a.jpg", b"\xff\xfe.jpg", b"new\nline.jpg", b"quo\"te's,.jpg", "ä ö".encode()])
def test_file_is_read_whatever_its_name(reader, tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"content")

    assert reader.read(FileLocator(str(path))) == b"content"


def test_file_that_is_not_there_is_not_found(reader, tmp_path):
    (tmp_path / "file").write_bytes(b"x")

    assert reason_of(reader, FileLocator(str(tmp_path / "gone.jpg"))) is Reason.NOT_FOUND
    assert reason_of(reader, FileLocator(str(tmp_path / "file" / "below.jpg"))) is Reason.NOT_FOUND


def test_link_that_leads_nowhere_is_not_found(reader, tmp_path):
    (tmp_path / "link.jpg").symlink_to("nowhere")

    assert reason_of(reader, FileLocator(str(tmp_path / "link.jpg"))) is Reason.NOT_FOUND


def test_link_to_a_file_is_followed(reader, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link.jpg").symlink_to("file")

    assert reader.read(FileLocator(str(tmp_path / "link.jpg"))) == b"content"


def test_empty_file_says_so(reader, tmp_path):
    (tmp_path / "empty.jpg").touch()

    assert reason_of(reader, FileLocator(str(tmp_path / "empty.jpg"))) is Reason.EMPTY_FILE


def test_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not(reader, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x" * 5000)
    (tmp_path / "b.jpg").write_bytes(b"x" * 5001)

    assert reader.read(FileLocator(str(tmp_path / "a.jpg"))) == b"x" * 5000
    assert reason_of(reader, FileLocator(str(tmp_path / "b.jpg"))) is Reason.TOO_MANY_BYTES


def test_file_that_does_not_tell_its_size_is_stopped_at_the_limit():
    with ItemReader(ImageLimits(max_bytes=10, max_pixels=1), ACCESS) as reader:
        # The kernel says that this file has no bytes, and goes on to hand out some.
        assert reason_of(reader, FileLocator("/proc/self/status")) is Reason.TOO_MANY_BYTES


def test_folder_is_unreadable(reader, tmp_path):
    assert reason_of(reader, FileLocator(str(tmp_path))) is Reason.UNREADABLE


@pytest.mark.timeout(20)
def test_pipe_under_an_images_name_is_unreadable_and_waits_for_nobody(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")

    assert reason_of(reader, FileLocator(str(tmp_path / "pipe.jpg"))) is Reason.UNREADABLE


def test_devices_and_sockets_are_unreadable(reader, tmp_path):
    assert reason_of(reader, FileLocator("/dev/zero")) is Reason.UNREADABLE
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert reason_of(reader, FileLocator(str(tmp_path / "s"))) is Reason.UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_unreadable(reader, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.jpg").chmod(0)

    assert reason_of(reader, FileLocator(str(tmp_path / "a.jpg"))) is Reason.UNREADABLE


def test_names_that_no_file_can_have_are_input_errors(reader, tmp_path):
    assert reason_of(reader, FileLocator(str(tmp_path / ("x" * 300)))) is Reason.UNREADABLE
    assert reason_of(reader, FileLocator(f"{tmp_path}/a\0b")) in (Reason.UNREADABLE, Reason.NOT_FOUND)


def test_object_stores_are_read_with_the_same_limits(reader, memory):
    with fsspec.open(f"{memory}/a.jpg", "wb") as file:
        file.write(b"content")
    with fsspec.open(f"{memory}/large.jpg", "wb") as file:
        file.write(b"x" * 5001)

    assert reader.read(FileLocator(f"{memory}/a.jpg")) == b"content"
    assert reason_of(reader, FileLocator(f"{memory}/large.jpg")) is Reason.TOO_MANY_BYTES
    assert reason_of(reader, FileLocator(f"{memory}/gone.jpg")) is Reason.NOT_FOUND


def test_protocol_whose_package_is_missing_says_what_to_install(reader):
    if find_spec("s3fs"):
        pytest.skip("s3fs is installed: nothing is missing")

    with pytest.raises(InputError, match=r"labelyard\[s3\]") as caught:
        reader.read(FileLocator("s3://bucket/a.jpg"))
    assert caught.value.reason is Reason.UNREADABLE


def test_unknown_protocol_is_not_allowed(reader):
    assert reason_of(reader, FileLocator("nonsense://a.jpg")) is Reason.NOT_ALLOWED


@pytest.fixture
def web(tmp_path) -> Iterator[str]:
    with served(tmp_path) as address:
        yield address


def test_web_addresses_are_read_with_the_same_limits(reader, web, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"content")
    (tmp_path / "large.jpg").write_bytes(b"x" * 5001)

    assert reader.read(FileLocator(f"{web}/a.jpg")) == b"content"
    assert reason_of(reader, FileLocator(f"{web}/large.jpg")) is Reason.TOO_MANY_BYTES
    assert reason_of(reader, FileLocator(f"{web}/gone.jpg")) is Reason.NOT_FOUND


def test_host_that_does_not_answer_is_unreadable(reader):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    assert reason_of(reader, FileLocator(f"http://127.0.0.1:{port}/a.jpg")) in (Reason.UNREADABLE, Reason.NOT_FOUND)


MEMBERS = {f"{number:03}.jpg": bytes([number % 251]) * (100 + number) for number in range(300)} | {"empty.jpg": b""}


@pytest.fixture(params=["w:", "w:gz", "w:bz2", "w:xz"])
def archive(request, tmp_path):
    path = tmp_path / "photos.tar"
    return str(path), write_tar(path, MEMBERS, request.param)


def test_members_of_plain_and_compressed_archives_are_read_in_any_order(reader, archive):
    path, places = archive
    for name in ("000.jpg", "007.jpg", "250.jpg", "249.jpg", "000.jpg", "299.jpg"):
        assert reader.read(MemberLocator(path, name, *places[name])) == MEMBERS[name]


def test_members_are_read_by_many_threads(reader, archive):
    path, places = archive
    wrong = []

    def read_some(first):
        for number in range(first, 300, 4):
            name = f"{number:03}.jpg"
            if reader.read(MemberLocator(path, name, *places[name])) != MEMBERS[name]:
                wrong.append(name)

    threads = [threading.Thread(target=read_some, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_bad_members_are_input_errors(reader, archive):
    path, places = archive

    assert reason_of(reader, MemberLocator(path, "empty.jpg", *places["empty.jpg"])) is Reason.EMPTY_FILE
    assert reason_of(reader, MemberLocator(path, "no such", -1, 0)) is Reason.NOT_FOUND
    assert reason_of(reader, MemberLocator(path, "large", 512, 5001)) is Reason.TOO_MANY_BYTES
    assert reason_of(reader, MemberLocator(path, "behind the end", 10**7, 10)) is Reason.TRUNCATED
    assert reason_of(reader, MemberLocator(path + "x", "a.jpg", 512, 10)) is Reason.NOT_FOUND


def test_damaged_compressed_archive_is_an_input_error_and_its_start_stays_readable(reader, tmp_path):
    members = {name: np.random.default_rng(1).bytes(4000) for name in map(str, range(200))}
    path = tmp_path / "cut.tar.gz"
    places = write_tar(path, members)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert reader.read(MemberLocator(str(path), "7", *places["7"])) == members["7"]
    assert reason_of(reader, MemberLocator(str(path), "199", *places["199"])) is Reason.CORRUPT


def test_members_of_remote_archives_are_read(reader, memory, tmp_path):
    for mode in ("w:", "w:gz"):
        places = write_tar(tmp_path / "a.tar", {"a.jpg": b"first", "b.jpg": b"second"}, mode)
        with fsspec.open(f"{memory}/{mode[2:]}.tar", "wb") as file:
            file.write((tmp_path / "a.tar").read_bytes())

        assert reader.read(MemberLocator(f"{memory}/{mode[2:]}.tar", "b.jpg", *places["b.jpg"])) == b"second"


@pytest.mark.parametrize("is_remote", [False, True])
def test_items_of_arrays_come_as_colours(reader, tmp_path, memory, is_remote):
    array = np.random.default_rng(2).random((4, 5, 6, 3)).astype(np.float32)
    uri = f"{memory}/a.npy" if is_remote else str(tmp_path / "a.npy")
    with fsspec.open(uri, "wb") as file:
        np.save(file, array)

    image = reader.read(ArrayLocator(uri, 3, 255.0))

    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, (array[3] * np.float32(255)).round().astype(np.uint8))
    assert reason_of(reader, ArrayLocator(uri, 4, 255.0)) is Reason.WRONG_SHAPE


def test_bad_arrays_are_input_errors(reader, tmp_path):
    (tmp_path / "text.npy").write_text("this is text")
    np.save(tmp_path / "flat.npy", np.zeros((3, 4), np.uint8))

    assert reason_of(reader, ArrayLocator(str(tmp_path / "gone.npy"), 0, 1.0)) is Reason.NOT_FOUND
    assert reason_of(reader, ArrayLocator(str(tmp_path / "text.npy"), 0, 1.0)) is Reason.WRONG_SHAPE
    assert reason_of(reader, ArrayLocator(str(tmp_path / "flat.npy"), 0, 1.0)) is Reason.WRONG_SHAPE
