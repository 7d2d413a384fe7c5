"""Uploads over HTTP: what is taken, and what limits hold."""

import contextlib
import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from colours import RED, paint
from problems import kind
from program import wait_for

from core.settings import Settings
from orchestrator.api import receiving

UPLOADS = "/api/v1/uploads"
MAX_BYTES = 200_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Uploads are small here."""
    return settings.model_copy(update={"max_upload_bytes": MAX_BYTES})


@pytest.fixture
def upload(api: httpx.Client) -> str:
    """The path of a fresh upload."""
    answer = api.post(UPLOADS, json={"name": "mine"})
    assert answer.status_code == 201
    return f"{UPLOADS}/{answer.json()['id']}"


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_files_of_a_form_and_single_ones_are_kept_and_listed(api: httpx.Client, upload: str) -> None:
    form = [("files", ("a.jpg", b"1")), ("files", ("cats/b.jpg", b"22"))]
    assert api.post(f"{upload}/files", files=form).json()["num_files"] == 2
    assert api.put(f"{upload}/files/dogs/c.jpg", content=b"333").json()["num_bytes"] == 6
    assert api.get(UPLOADS).json()["items"] == [api.get(upload).json()]
    assert api.delete(upload).status_code == 204
    assert api.get(upload).status_code == 404


def test_uploads_are_listed_by_pages_the_newest_first(api: httpx.Client) -> None:
    ids = [api.post(UPLOADS, json={"name": str(number)}).json()["id"] for number in range(3)]
    page = api.get(UPLOADS, params={"limit": 2}).json()
    rest = api.get(UPLOADS, params={"limit": 2, "cursor": page["next"]}).json()
    assert {one["id"] for one in page["items"] + rest["items"]} == set(ids)
    assert (len(page["items"]), rest["next"]) == (2, None)


@pytest.mark.parametrize("name", ["..%2Fa.jpg", "%2Fetc%2Fpasswd", "a%00.jpg", "a/..%2F..%2Fb.jpg", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(api: httpx.Client, upload: str, tmp_path: Path, name: str) -> None:
    answer = api.put(f"{upload}/files/{name}", content=b"1")
    assert (answer.status_code, kind(answer)) == (409, "upload")
    assert api.get(upload).json()["num_files"] == 0
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_name_that_leads_elsewhere_is_refused_in_a_form_too(api: httpx.Client, upload: str, tmp_path: Path) -> None:
    for name in ("../a.jpg", "/a.jpg", "a/../../../b.jpg"):
        answer = api.post(f"{upload}/files", files=[("files", (name, b"1"))])
        assert (answer.status_code, kind(answer)) == (409, "upload")
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_file_that_is_too_large_is_refused_while_it_comes(api: httpx.Client, upload: str, tmp_path: Path) -> None:
    endless = (b"x" * 50_000 for _ in range(1000))
    # It may hang up before everything was sent, and its answer is lost then.
    with contextlib.suppress(httpx.WriteError):
        answer = api.put(f"{upload}/files/a.jpg", content=endless)
        assert (answer.status_code, kind(answer)) == (413, "upload-too-large")
    with socket.create_connection((api.base_url.host, api.base_url.port or 80)) as sender:
        host = api.base_url.netloc.decode()
        head = f"PUT {upload}/files/b.jpg HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked"
        # One byte too many, and nothing that says that it was the last one.
        sender.sendall(f"{head}\r\n\r\n{MAX_BYTES + 1:x}\r\n".encode() + b"x" * (MAX_BYTES + 1))
        assert sender.recv(100).startswith(b"HTTP/1.1 413 ")
    wait_for(lambda: not incoming(tmp_path), "what had come to be deleted")
    assert not [path for path in (tmp_path / "state" / "uploads").rglob("*") if path.is_file()]
    assert api.get(upload).json()["num_files"] == 0


def test_a_bomb_and_an_archive_that_escapes_leave_nothing(api: httpx.Client, upload: str, tmp_path: Path) -> None:
    bomb = api.put(f"{upload}/files/bomb.zip", content=zipped({"zeros.png": b"\0" * 20_000_000}))
    assert (bomb.status_code, kind(bomb)) == (413, "upload-too-large")
    escape = api.put(f"{upload}/files/escape.zip", content=zipped({"good.png": b"1", "../../../evil.png": b"1"}))
    assert (escape.status_code, kind(escape)) == (409, "upload")
    assert not list(tmp_path.rglob("*.png"))
    assert api.get(upload).json()["num_files"] == 0


def test_ten_thousand_files_of_one_form_are_refused(api: httpx.Client, upload: str) -> None:
    answer = api.post(f"{upload}/files", files=[("files", (f"{number}.jpg", b"1")) for number in range(10_000)])
    assert answer.status_code in (400, 413)
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get(upload).json()["num_files"] == 0


def test_an_archive_that_is_too_large_itself_is_refused(api: httpx.Client, upload: str) -> None:
    content = zipped({f"{number}.jpg": b"" for number in range(10_000)})
    assert len(content) > MAX_BYTES
    answer = api.put(f"{upload}/files/many.zip", content=content)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"--x\r\n\r\n", "multipart/form-data"),
    ],
)
def test_a_form_that_is_none_is_refused(api: httpx.Client, upload: str, content: bytes, media_type: str) -> None:
    answer = api.post(f"{upload}/files", content=content, headers={"Content-Type": media_type})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("upload_id", ["0" * 16, "0" * 15, "../x", "%2e%2e", "ABCDEF0123456789"])
def test_an_upload_that_is_not_there_is_said_so(api: httpx.Client, upload_id: str) -> None:
    assert api.get(f"{UPLOADS}/{upload_id}").status_code in (404, 422)
    assert api.put(f"{UPLOADS}/{upload_id}/files/a.jpg", content=b"1").status_code in (404, 405, 422)


def test_one_file_of_an_upload_can_be_a_source(api: httpx.Client, upload: str, tmp_path: Path) -> None:
    picture = paint(tmp_path / "x.png", RED, seed=1)
    api.put(f"{upload}/files/x.png", content=picture.read_bytes())
    source = api.get(upload).json()["source"]
    answer = api.post("/api/v1/jobs", json={"sources": [f"{source}/../../x.png"], "models": ["mobilenet-0.25"]})
    assert answer.status_code == 409, "no way out of the upload"
    assert kind(answer) == "source"
    answer = api.post("/api/v1/jobs", json={"sources": [f"{source}/x.png"], "models": ["mobilenet-0.25"]})
    assert answer.status_code == 202, answer.text


@pytest.fixture
def stalled(api: httpx.Client, upload: str) -> Iterator[list[socket.socket]]:
    """Fifty senders that have begun to send a file and send nothing more: more than there are threads."""
    head = f"PUT {{name}} HTTP/1.1\r\nHost: {api.base_url.netloc.decode()}\r\nContent-Length: 1000\r\n\r\nx"
    senders = [socket.create_connection((api.base_url.host, api.base_url.port or 80)) for _ in range(50)]
    for number, sender in enumerate(senders):
        sender.sendall(head.format(name=f"{upload}/files/{number}.jpg").encode())
    yield senders
    for sender in senders:
        sender.close()


def incoming(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state" / "uploads" / ".incoming").glob("*"))


def test_senders_that_stall_keep_nobody_from_being_answered(
    api: httpx.Client, upload: str, stalled: list[socket.socket], tmp_path: Path
) -> None:
    wait_for(lambda: len(incoming(tmp_path)) == receiving.MAX_RECEIVING, "as many files to come in as may")
    assert api.get(upload).status_code == 200
    for sender in stalled:
        sender.close()
    wait_for(lambda: not incoming(tmp_path), "what had come to be deleted")
    assert api.put(f"{upload}/files/a.jpg", content=b"1").json()["num_files"] == 1


def test_a_sender_that_stalls_is_given_up(
    api: httpx.Client, upload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MAX_PAUSE_S", 0.2)
    with socket.create_connection((api.base_url.host, api.base_url.port or 80)) as sender:
        host = api.base_url.netloc.decode()
        sender.sendall(f"PUT {upload}/files/a.jpg HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nx".encode())
        assert sender.recv(100).startswith(b"HTTP/1.1 408 ")
    assert incoming(tmp_path) == []
