"""Archives, arrays and manifests that were made to do harm: nothing escapes, nothing grows without end."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from containers import JPEG, write_tar
from pyarrow import parquet

from core.errors import DatasetError, InputError, SourceError
from core.items import ArrayLocator, MemberLocator
from core.types import Reason
from orchestrator.datasets import open_dataset
from orchestrator.sources import SourceSpec, open_source
from workers import archives
from workers.access import Access
from workers.ml.limits import ImageLimits
from workers.reading import ItemReader

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)


@pytest.fixture
def reader():
    with ItemReader(LIMITS, Access()) as reader:
        yield reader


def listed(path):
    return list(open_source(SourceSpec(path.name, str(path)), Access()).items())


def member(name, *, kind=tarfile.REGTYPE, data=b"", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), link
    return info, data


def write_members(path, *members, mode="w:"):
    with tarfile.open(path, mode) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_names_that_lead_out_are_names_and_nothing_is_ever_written(reader, tmp_path, mode):
    names = ["../../escaped.jpg", f"{tmp_path}/absolute.jpg", "a/../../b.jpg", "C:\\c.jpg", "./d.jpg"]
    (tmp_path / "below").mkdir()
    path = tmp_path / "below/evil.tar"
    write_members(path, *(member(name, data=JPEG) for name in names), mode=mode)
    before = sorted(map(str, tmp_path.rglob("*")))

    items = listed(path)

    assert [item.name for item in items] == [f"evil.tar#{name}" for name in names]
    assert [reader.read(item.locator) for item in items] == [JPEG] * len(names)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_links_and_devices_in_an_archive_are_passed_over(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    write_members(
        tmp_path / "a.tar",
        member("symbolic.jpg", kind=tarfile.SYMTYPE, link=str(tmp_path / "secret.jpg")),
        member("hard.jpg", kind=tarfile.LNKTYPE, link="../secret.jpg"),
        member("zero.jpg", kind=tarfile.CHRTYPE),
        member("disk.jpg", kind=tarfile.BLKTYPE),
        member("pipe.jpg", kind=tarfile.FIFOTYPE),
        member("folder.jpg", kind=tarfile.DIRTYPE),
        member("a.jpg", data=JPEG),
    )

    assert [item.name for item in listed(tmp_path / "a.tar")] == ["a.tar#a.jpg"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("is_one_member", [False, True])
def test_archive_that_grows_without_end_is_refused(reader, tmp_path, monkeypatch, pack, is_one_member):
    monkeypatch.setattr(archives, "FREE_EXPANSION_NUM_BYTES", 4 * 1024**2)
    size = 40 * 1024**2 if is_one_member else 900_000
    write_members(tmp_path / "a", *(member(f"{i}.jpg", data=bytes(size)) for i in range(1 if is_one_member else 40)))
    path = tmp_path / "a.tar.gz"
    path.write_bytes(pack((tmp_path / "a").read_bytes()))
    assert path.stat().st_size < 100_000
    (tmp_path / "a").unlink()
    tracemalloc.start()

    with pytest.raises(SourceError, match=r"a.tar.gz is refused: it grows to more than 100 times its size"):
        listed(path)
    with pytest.raises(InputError, match="it grows to more than 100 times") as caught:
        reader.read(MemberLocator(str(path), "39.jpg", 36 * 1024**2, 1000))

    assert caught.value.reason is Reason.TOO_MANY_BYTES
    assert tracemalloc.get_traced_memory()[1] < 80 * 1024**2  # the window keeps what it has seen of a stream
    tracemalloc.stop()


def test_a_header_that_asks_for_all_there_is_gets_nothing(memory):
    header = raw_header("././@LongLink", -512, tarfile.GNUTYPE_LONGNAME)
    memory.pipe("/bucket/a.tar", header + bytes(40 * 1024**2))
    tracemalloc.start()

    with pytest.raises(SourceError):
        list(open_source(SourceSpec("a.tar", "memory://bucket/a.tar"), Access()).items())

    assert tracemalloc.get_traced_memory()[1] < 20 * 1024**2
    tracemalloc.stop()


def test_archive_that_is_large_because_its_images_are_is_read(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_EXPANSION_NUM_BYTES", 1024)
    images = {f"{number}.jpg": np.random.default_rng(number).bytes(100_000) for number in range(20)}
    write_tar(tmp_path / "a.tar.gz", images, "w:gz")

    assert [reader.read(item.locator) for item in listed(tmp_path / "a.tar.gz")] == list(images.values())


def test_archive_of_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_NUM_MEMBERS", 100)
    write_members(tmp_path / "a.tar", *(member(f"{i}.txt", kind=tarfile.DIRTYPE) for i in range(101)))

    with pytest.raises(SourceError, match="has more than 100 members; divide it"):
        listed(tmp_path / "a.tar")


def raw_header(name, size, kind):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


HOSTILE_HEADERS = {
    "a name of less than nothing": raw_header("././@LongLink", -512, tarfile.GNUTYPE_LONGNAME),
    "a name of a gigabyte": raw_header("././@LongLink", 1024**3, tarfile.GNUTYPE_LONGNAME),
    "pax headers of a gigabyte": raw_header("pax", 1024**3, tarfile.XHDTYPE),
    "a hundred thousand pax headers in a row": raw_header("pax", 0, tarfile.XHDTYPE) * 100_000,
    "a sparse file's map without end": b"".join(
        (
            raw_header("pax", 512, tarfile.XHDTYPE),
            b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n".ljust(512, b"\0"),
            raw_header("sparse.jpg", 10**9, tarfile.REGTYPE),
            b"99999999\n" + b"1\n" * 251 + b"\n",
            b"1\n" * 512 * 1024,
        )
    ),
    "a pax header that is no pax header": raw_header("pax", 512, tarfile.XHDTYPE) + b"99999999999 path=a\n" * 26,
    "a size that is no number": raw_header("a.jpg", 0, tarfile.REGTYPE)[:124] + b"\xff" * 12 + bytes(376),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("header", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS.keys())
def test_headers_that_ask_for_memory_or_time_are_refused(tmp_path, header):
    write_members(tmp_path / "a.tar", member("a.jpg", data=JPEG))
    first = (tmp_path / "a.tar").read_bytes()[:1024]
    (tmp_path / "a.tar").write_bytes(first + header + b"\0" * 1024**2 + bytes(1024))
    tracemalloc.start()

    with pytest.raises(SourceError):
        listed(tmp_path / "a.tar")

    assert tracemalloc.get_traced_memory()[1] < 20 * 1024**2
    tracemalloc.stop()


@pytest.mark.timeout(60)
def test_member_of_negative_size_does_not_lead_round_in_circles(tmp_path):
    info = tarfile.TarInfo("a.jpg")
    header = bytearray(info.tobuf())
    header[124:136] = (-1024 % 2**88 + (0xFF << 88)).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(bytes(header) * 3 + bytes(1024))

    with pytest.raises(SourceError, match=r"ends before it begins|cannot be read"):
        listed(tmp_path / "a.tar")


def test_size_that_no_file_has_is_an_archive_that_ends_too_soon(tmp_path):
    info = tarfile.TarInfo("a.jpg")
    info.size = 2**70
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))

    with pytest.raises(SourceError, match="cannot be read as a tar archive"):
        listed(tmp_path / "a.tar")


def npy(header, *, version=1, length=None):
    text = header.encode().ljust(118) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


HOSTILE_ARRAYS = {
    "pickled objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2, 2, 3), }")
    + b"cos\nsystem\n(S'x'\ntR.",
    "more images than there are atoms": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10**80, 2, 2, 3), }"),
    "a trillion images": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 2, 2, 3), }"),
    "images of a terabyte": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 999999, 999999, 3), }"),
    "a trillion images of nothing": npy(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 0, 2, 3), }"
    ),
    "negative lengths": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, -2, -2, 3), }"),
    "a header of four gigabytes": npy("{}", version=2, length=2**32 - 1),
    "a header that calls": npy("__import__('os').system('touch marker')"),
    "a header that is nested": npy("(" * 100),
}


@pytest.mark.parametrize("data", HOSTILE_ARRAYS.values(), ids=HOSTILE_ARRAYS.keys())
def test_arrays_that_promise_what_they_do_not_have_are_refused(reader, tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npy"
    path.write_bytes(data)

    with pytest.raises(SourceError, match=r"a\.npy"):
        listed(path)
    with pytest.raises(InputError):
        reader.read(ArrayLocator(str(path), 0, 1.0))
    assert os.listdir(tmp_path) == ["a.npy"]  # noqa: PTH208


def test_labels_that_promise_what_they_do_not_have_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((5, 2, 2, 3), np.uint8))
    (tmp_path / "y.npy").write_bytes(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 1000000000000), }"))

    with pytest.raises((SourceError, DatasetError), match=r"y\.npy is cut short"):
        open_dataset("x.npy,y.npy", Access(), cwd=tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_line_without_an_end_is_refused_without_being_kept(tmp_path, resolve, memory, name):
    (tmp_path / name).write_bytes(b"image\n" + b"x" * 30 * 1024**2)
    memory.pipe(f"/bucket/{name}", (tmp_path / name).read_bytes())
    for text in (name, f"memory://bucket/{name}"):
        tracemalloc.start()
        with pytest.raises(SourceError, match=r"Line \d of .* has more than 1,048,576 bytes|is not JSON"):
            resolve(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * 1024**2
        tracemalloc.stop()


@pytest.mark.parametrize("line", ["[" * 10**6, '{"image": ' + "1" * 10_000 + "}", json.dumps({"image": {"a": 1}})])
def test_lines_of_json_that_are_no_rows_are_refused(tmp_path, resolve, line):
    (tmp_path / "a.jsonl").write_text(line)

    with pytest.raises(SourceError, match="Line 1 of"):
        resolve("a.jsonl")


def test_row_group_that_does_not_fit_is_refused(tmp_path, resolve, monkeypatch):
    parquet.write_table(pa.table({"image": [f"{'x' * 100}{i}.jpg" for i in range(1000)]}), tmp_path / "a.parquet")
    monkeypatch.setattr("orchestrator.sources.tables.MAX_ROW_GROUP_NUM_BYTES", 10_000)

    with pytest.raises(SourceError, match=r"Row group 0 of .*a\.parquet has [\d,]+ bytes.*smaller row groups"):
        resolve("a.parquet")


def test_parquet_that_is_damaged_anywhere_is_an_error_with_a_message(tmp_path, resolve):
    parquet.write_table(pa.table({"image": [f"{i}.jpg" for i in range(1000)]}), tmp_path / "a.parquet")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    messages = []
    for place in range(4, len(data), 97):
        damaged = data.copy()
        damaged[place : place + 8] = b"\xff" * 8
        (tmp_path / "a.parquet").write_bytes(damaged)
        try:
            resolve("a.parquet")
        except SourceError as error:
            messages.append(str(error))
    assert messages
    assert all("a.parquet" in message for message in messages)
