"""Archives, arrays and manifests on web servers that fail, break off, or send only whole files."""

import tarfile

import numpy as np
import pytest
from containers import JPEG, write_tar

from core.errors import InputError, SourceError
from core.items import ArrayLocator, FileLocator, MemberLocator
from core.types import Reason
from orchestrator.sources import open_source
from workers.access import Access
from workers.ml.limits import ImageLimits
from workers.reading import ItemReader

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
OPEN = Access(allow_private_hosts=True)


def test_planner_asks_again_and_says_what_is_wrong(server, items_of, resolve):
    url = server.send("/a.jpg", JPEG, failing=2)

    assert items_of(url, allow_http=True)[0].locator == FileLocator(url)
    with pytest.raises(SourceError, match=r"cannot be opened: ClientResponseError: 503"):
        resolve(server.send("/b.jpg", JPEG, failing=10**6), allow_http=True)
    with pytest.raises(SourceError, match="does not exist"):
        resolve(server.address + "/gone.jpg", allow_http=True)


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_archives_and_arrays_of_a_server_that_sends_only_whole_files_are_read(server, resolve, tmp_path, mode):
    members = {f"{number}.jpg": JPEG + bytes([number]) * 5000 for number in range(50)}
    write_tar(tmp_path / "a.tar", members, mode)
    url = server.send("/a.tar", (tmp_path / "a.tar").read_bytes())
    images = np.random.default_rng(1).integers(0, 255, (5, 4, 4, 3), np.uint8)
    np.save(tmp_path / "a.npy", images)
    array = server.send("/a.npy", (tmp_path / "a.npy").read_bytes())
    (spec,) = resolve(url, allow_http=True)

    with ItemReader(LIMITS, OPEN) as reader:
        for item in open_source(spec, OPEN).items():
            assert isinstance(item.locator, MemberLocator)
            assert reader.read(item.locator) == members[item.locator.member]
        np.testing.assert_array_equal(reader.read(ArrayLocator(array, 3, 1.0)), images[3])
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert len(archive.getmembers()) == 50


@pytest.mark.parametrize("name", ["m.txt", "m.csv", "m.jsonl", "m.parquet", "a.tar", "a.tar.gz", "a.npy"])
def test_answer_that_fails_while_it_is_planned_from_is_an_error_of_its_source(server, resolve, tmp_path, name):
    write_tar(tmp_path / "a.tar", {"a.jpg": JPEG}, "w:")
    write_tar(tmp_path / "a.tar.gz", {"a.jpg": JPEG}, "w:gz")
    np.save(tmp_path / "a.npy", np.zeros((9, 9, 9, 3), np.float32))
    starts = {"m.txt": b"a.jpg\n", "m.csv": b"image\na.jpg\n", "m.jsonl": b'{"image": "a.jpg"}\n', "m.parquet": b"PAR1"}
    data = starts.get(name) or (tmp_path / name).read_bytes()[:200]
    path = f"/{name}"

    def break_off(request):
        request.send_response(200)
        request.send_header("Content-Length", "10000")
        request.end_headers()
        request.wfile.write(data if request.command == "GET" else b"")

    def stream(request):
        """Chunks without a length, and without the one that ends them."""
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        request.close_connection = True

    with pytest.raises(SourceError, match=rf"{name} (cannot be read any further|is on a server that does not say)"):
        resolve(server.answer(path, break_off), allow_http=True)
    with pytest.raises(SourceError, match=name):
        resolve(server.answer(path, stream), allow_http=True)


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2"])
def test_members_of_an_archive_whose_server_fails_are_asked_for_again_and_then_rows(server, tmp_path, mode):
    place = write_tar(tmp_path / "a.tar", {"a.jpg": JPEG}, mode)["a.jpg"]
    data = (tmp_path / "a.tar").read_bytes()
    fine = server.send("/fine.tar", data, failing=1)

    def fail_after_the_start(request):
        """Sends what tells the archive's kind and its size, and then no more."""
        request.send_response(200 if server.num_requests["/bad.tar"] < 3 else 503)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[:100] if request.command == "GET" else b"")

    bad = server.answer("/bad.tar", fail_after_the_start)
    with ItemReader(LIMITS, OPEN) as reader:
        assert reader.read(MemberLocator(fine, "a.jpg", *place)) == JPEG
        with pytest.raises(InputError) as caught:
            reader.read(MemberLocator(bad, "a.jpg", *place))
    assert caught.value.reason is Reason.UNREADABLE
    assert bad in caught.value.detail
