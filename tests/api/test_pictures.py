"""Pictures over HTTP: thumbnails of whatever a job's images are, from a real server with real decoding processes."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np
import pytest
from containers import write_tar
from hostile import hostile_environment, make_hostile
from picture_jobs import at, job_of
from pictures import encoded, scene
from problems import kind

from core.items import ArrayLocator, FileLocator, MemberLocator
from core.settings import Settings
from core.types import Scope
from orchestrator.pictures.making import CACHE_FOLDER

# Pictures need the database for one look-up; decoding takes the time.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Serve = Callable[..., httpx.Client]
Token = Callable[..., str]


def thumbnail(api: httpx.Client, job_id: int, ordinal: int = 0, **options: object) -> httpx.Response:
    headers = options.pop("headers", {})
    return api.get(f"/api/v1/jobs/{job_id}/images/{ordinal}/thumbnail", params=options, headers=headers)


def pixels(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_a_thumbnail_is_the_image_in_the_size_that_was_asked_for(api, ledger, tmp_path):
    job_id = job_of(ledger, [at(tmp_path / "a.jpg")])

    answer = thumbnail(api, job_id, size=160)

    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"].startswith("private")
    shown = pixels(answer)
    assert shown.shape == (120, 160, 3)
    assert np.abs(shown.astype(int) - scene(120, 160)).mean() < 4


def test_members_and_items_of_arrays_have_thumbnails_too(api, ledger, tmp_path):
    members = write_tar(tmp_path / "a.tar.gz", {"a.png": encoded(scene(), ".png")})
    np.save(tmp_path / "a.npy", np.stack([scene(), scene() // 2]))
    job_id = job_of(
        ledger,
        [
            MemberLocator(str(tmp_path / "a.tar.gz"), "a.png", *members["a.png"]),
            ArrayLocator(str(tmp_path / "a.npy"), 1, 1.0),
        ],
    )
    for ordinal, expected in enumerate((scene(), scene() // 2)):
        assert np.abs(pixels(thumbnail(api, job_id, ordinal)).astype(int) - expected).mean() < 4


def test_who_has_it_already_is_not_sent_it_again_until_the_file_changes(api, ledger, tmp_path):
    job_id = job_of(ledger, [at(tmp_path / "a.jpg")])
    first = thumbnail(api, job_id)
    known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}

    again = thumbnail(api, job_id, headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert thumbnail(api, job_id, size=64, headers=known).status_code == 200, "of another size"

    at(tmp_path / "a.jpg", encoded(255 - scene(300, 400), ".jpg"))
    changed = thumbnail(api, job_id, headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_it_is_decoded_once_and_kept(api, ledger, settings, tmp_path):
    job_id = job_of(ledger, [at(tmp_path / "a.jpg")])
    first = thumbnail(api, job_id)
    (kept,) = [path for path in (settings.home / CACHE_FOLDER).rglob("*") if path.is_file()]
    assert kept.read_bytes() == first.content

    kept.write_bytes(b"what was kept")
    assert thumbnail(api, job_id).content == b"what was kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_costs_no_picture(api, ledger, settings, tmp_path):
    settings.home.mkdir()
    settings.home.chmod(0o500)
    assert thumbnail(api, job_of(ledger, [at(tmp_path / "a.jpg")])).status_code == 200


def test_a_cache_in_whose_place_a_file_is_costs_no_picture(api, ledger, settings, tmp_path):
    settings.home.mkdir()
    (settings.home / CACHE_FOLDER).write_text("in the way")
    assert thumbnail(api, job_of(ledger, [at(tmp_path / "a.jpg")])).status_code == 200


def test_what_was_never_in_the_job_or_is_gone_is_not_found(api, ledger, tmp_path):
    job_id = job_of(ledger, [at(tmp_path / "a.jpg"), FileLocator(str(tmp_path / "gone.jpg"))])
    pixels(thumbnail(api, job_id))
    for answer, expected in (
        (thumbnail(api, job_id, 2), "unknown-job"),
        (thumbnail(api, job_id + 1), "unknown-job"),
        (thumbnail(api, job_id, 1), "image-not-found"),
    ):
        assert (answer.status_code, kind(answer)) == (404, expected)
    (tmp_path / "a.jpg").unlink()
    assert thumbnail(api, job_id).status_code == 404, "although a thumbnail of it is kept"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty-file"), (b"no picture", "not-an-image"), (encoded(scene(), ".jpg")[:300], "truncated")],
)
def test_what_is_no_image_is_refused(api, ledger, tmp_path, data, reason):
    answer = thumbnail(api, job_of(ledger, [at(tmp_path / "a.jpg", data)]))
    assert (answer.status_code, kind(answer)) == (409, f"image-{reason}")


def test_an_image_beyond_the_limits_is_refused(serve, ledger, tmp_path):
    job_id = job_of(ledger, [at(tmp_path / "a.jpg")])
    for change, reason in (
        ({"max_image_pixels": 1000}, "too-many-pixels"),
        ({"max_image_bytes": 99}, "too-many-bytes"),
    ):
        answer = thumbnail(serve(**change), job_id)
        assert (answer.status_code, kind(answer)) == (409, f"image-{reason}")


def test_what_lies_outside_of_the_roots_is_not_shown_and_says_nothing_of_itself(serve, ledger, tmp_path):
    (tmp_path / "inside").mkdir()
    at(tmp_path / "outside.jpg")
    (tmp_path / "inside" / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    members = write_tar(tmp_path / "a.tar.gz", {"a.png": encoded(scene(), ".png")})
    places = [
        FileLocator(str(tmp_path / "outside.jpg")),
        FileLocator(str(tmp_path / "inside" / "link.jpg")),
        FileLocator(str(tmp_path / "inside" / ".." / "outside.jpg")),
        FileLocator("/etc/passwd"),
        MemberLocator(str(tmp_path / "a.tar.gz"), "a.png", *members["a.png"]),
        FileLocator("http://127.0.0.1:1/a.jpg"),
        FileLocator("file:///etc/passwd"),
    ]
    job_id = job_of(ledger, places)
    narrow, wide = serve(source_roots=[str(tmp_path / "inside")]), serve()
    pixels(thumbnail(wide, job_id))  # and is kept from now on
    for ordinal in range(len(places)):
        answer = thumbnail(narrow, job_id, ordinal)
        assert (answer.status_code, kind(answer)) == (403, "image-not-allowed")
        assert "root:" not in answer.text


@pytest.mark.parametrize(("fault", "status"), [("segfault", 409), ("memory", 409), ("hang", 504)])
def test_an_image_that_kills_its_decoder_is_refused_and_the_next_one_is_shown(
    serve, ledger, tmp_path, monkeypatch, fault, status
):
    for name, value in hostile_environment({}).items():
        monkeypatch.setenv(name, value)
    locators = [at(tmp_path / "bad.jpg"), at(tmp_path / "good.jpg")]
    make_hostile(tmp_path / "bad.jpg", fault)
    job_id = job_of(ledger, locators)
    limits = Settings()
    api = serve(max_image_s=1.0, max_image_pixels=limits.max_image_pixels, max_image_bytes=limits.max_image_bytes)

    assert thumbnail(api, job_id, 0).status_code == status
    assert pixels(thumbnail(api, job_id, 1)).any()
    assert api.get("/healthz").status_code == 200


def test_images_that_hang_keep_nobody_from_being_answered(serve, ledger, tmp_path, monkeypatch):
    for name, value in hostile_environment({}).items():
        monkeypatch.setenv(name, value)
    job_id = job_of(ledger, [at(tmp_path / "bad.jpg")])
    make_hostile(tmp_path / "bad.jpg", "hang")
    api = serve(max_image_s=3.0)
    with httpx.Client(base_url=api.base_url, timeout=30) as other, ThreadPoolExecutor(60) as pool:
        hung = [pool.submit(thumbnail, api, job_id) for _ in range(60)]
        time.sleep(1)
        assert other.get("/api/v1/jobs").status_code == 200
        assert not any(one.done() for one in hung), "it was answered while all of them waited"
        statuses = {one.result().status_code for one in hung}
    assert statuses <= {503, 504}
    assert 504 in statuses


@pytest.mark.parametrize("size", ["31", "1025", "0", "-1", "160.5", "abc", ""])
def test_a_size_that_is_none_is_refused(api, ledger, tmp_path, size):
    answer = thumbnail(api, job_of(ledger, [at(tmp_path / "a.jpg")]), size=size)
    assert (answer.status_code, kind(answer)) == (422, "unreadable-request")


@pytest.mark.parametrize(
    "path", ["1/images/-1", "1/images/..%2f..%2fetc", "1/images/99999999999999999999", "0/images/0"]
)
def test_a_place_that_is_none_is_refused(api, path):
    assert api.get(f"/api/v1/jobs/{path}/thumbnail").status_code in (404, 422)


def test_who_may_read_may_look(serve, token, ledger, tmp_path):
    guarded = serve("0.0.0.0:0")
    job_id = job_of(ledger, [at(tmp_path / "a.jpg")])
    assert thumbnail(guarded, job_id).status_code == 401
    headers = {"Authorization": f"Bearer {token(Scope.READ)}"}
    assert thumbnail(guarded, job_id, headers=headers).status_code == 200
