"""What forms do, who may send them, and from where."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from colours import RED, paint
from fastapi.routing import APIRoute

from core.types import Scope
from orchestrator.dashboard.mounting import PAGES
from orchestrator.dashboard.pages import upload

from .conftest import as_browser

Serve = Callable[..., httpx.Client]
VALUES = {"job_id": "1", "ordinal": "0", "name": "colours", "version": "1", "token_id": "0" * 12}


def form_paths() -> list[str]:
    routers = [page.forms for page in PAGES if hasattr(page, "forms")] + [upload.large_forms]
    return [
        re.sub(r"\{(\w+)\}", lambda found: VALUES[found[1]], route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    ]


def test_there_are_forms_to_look_at():
    assert len(form_paths()) > 15


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
    ids=["another origin", "no origin", "cross-site", "a neighbour", "nothing said"],
)
def test_no_form_is_taken_but_from_a_page_of_this_site(api: httpx.Client, headers: dict[str, str]):
    for path in form_paths():
        answer = api.post(path, data={"model": "colours@1"}, headers=headers)
        assert (path, answer.status_code) == (path, 403)
        assert "Expected one" in answer.text


def test_no_form_changes_anything_for_those_who_may_only_read(serve: Serve, token: Callable[..., str]):
    site = as_browser(serve("0.0.0.0:0"))
    site.cookies.set("labelyard_session", token(Scope.READ))
    for path in set(form_paths()) - {"/login", "/logout"}:
        answer = site.post(path, data={"label": "red", "model": "colours@1"})
        assert (path, answer.status_code) == (path, 403)


def test_no_form_is_taken_by_get(site: httpx.Client):
    for path in set(form_paths()) - {"/login", "/train", "/schedules", "/upload"}:
        assert site.get(path).status_code in (404, 405), path


def test_a_job_is_paused_hurried_resumed_and_cancelled(site: httpx.Client, world):
    job = site.post("/api/v1/jobs", json={"sources": [str(world.pictures)], "models": ["colours@2"]}).json()["job_id"]
    for act, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = site.post(f"/jobs/{job}/{act}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job}?done={act}")
        assert site.get(f"/api/v1/jobs/{job}").json()["state"] == state
        if act == "pause":
            assert site.post(f"/jobs/{job}/priority", data={"priority": "urgent"}).status_code == 303
            assert site.get(f"/api/v1/jobs/{job}").json()["priority"] == "urgent"
            assert ">Resume<" in site.get(f"/jobs/{job}").text
    assert site.post(f"/jobs/{job}/pause").status_code == 409


def test_errors_are_tried_again(site: httpx.Client, world):
    assert "Try the errors again" in site.get(f"/jobs/{world.label_job}").text
    assert site.post(f"/jobs/{world.label_job}/retry").status_code == 303
    assert site.get(f"/api/v1/jobs/{world.label_job}").json()["state"] == "running"


def test_words_of_others_are_not_said_on_our_pages(site: httpx.Client, world):
    answer = site.get(f"/jobs/{world.label_job}?done=hacked")
    assert answer.status_code == 200
    assert "hacked" not in answer.text


@pytest.mark.usefixtures("world")
def test_a_version_is_taken_into_use_and_back(site: httpx.Client):
    def champion() -> str:
        return site.get("/api/v1/models/colours").json()["model"]

    assert champion() == "colours@1"
    assert site.post("/models/colours/versions/2/promote").status_code == 303
    assert champion() == "colours@2"
    assert site.post("/models/colours/rollback").status_code == 303
    assert champion() == "colours@1"
    assert site.post("/models/colours/rollback").status_code == 409
    assert site.post("/models/colours/versions/9/promote").status_code == 404


def test_a_training_that_cannot_be_meant_comes_back_as_it_was_typed(site: httpx.Client):
    typed = {"dataset": "/nowhere/at/all", "name": 'a "name"', "backbone": "lenet-5", "mode": "scratch", "epochs": "7"}
    answer = site.post("/train", data=typed)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="/nowhere/at/all"' in answer.text
    assert 'value="a &#34;name&#34;"' in answer.text
    for wrong in ({"epochs": "x"}, {"mode": "odd"}, {"dataset": "relative/path"}, {"name": ""}):
        assert site.post("/train", data=typed | wrong).status_code == 422


@pytest.mark.usefixtures("world")
def test_a_training_is_accepted(site: httpx.Client, tmp_path: Path):
    typed = {"dataset": str(tmp_path / "photographs"), "name": "others", "backbone": "lenet-5", "mode": "scratch"}
    answer = site.post("/train", data=typed)
    assert answer.status_code == 303, answer.text
    job = site.get(f"/api/v1/jobs/{answer.headers['location'].split('?')[0].rpartition('/')[2]}").json()
    assert (job["kind"], job["models"]) == ("train", ["others@1"])


@pytest.mark.usefixtures("world")
def test_a_schedule_is_added_run_disabled_and_removed(site: httpx.Client):
    typed = {"name": "nightly", "model": "colours", "cron": "0 3 * * *", "tz": "Asia/Seoul", "when": "", "relabel": ""}
    assert site.post("/schedules", data=typed | {"cron": "odd"}).status_code == 422
    assert site.post("/schedules", data=typed).headers["location"] == "/schedules/nightly?done=add"
    assert "Asia/Seoul" in site.get("/schedules").text
    assert site.post("/schedules", data=typed).status_code == 422, "there is one of that name"
    for act, text in (("disable", "disabled"), ("enable", "enabled")):
        assert site.post(f"/schedules/nightly/{act}").status_code == 303
        assert f"is-{text}" in site.get("/schedules/nightly").text
    assert site.post("/schedules/nightly/remove").status_code == 303
    assert site.get("/schedules/nightly").status_code == 404
    assert site.post("/schedules", data=typed).status_code == 303
    assert site.post("/schedules/nightly/run").status_code == 303
    assert "is-started" in site.get("/schedules/nightly").text


@pytest.mark.usefixtures("world")
def test_files_are_uploaded_and_labelled_without_any_script(site: httpx.Client, tmp_path: Path):
    picture = paint(tmp_path / "one.png", RED, seed=900).read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside.png", picture)
    files = [("files", ("one.png", picture)), ("files", ("more.zip", archive.getvalue()))]
    answer = site.post("/upload", data={"model": "colours"}, files=files)
    assert answer.status_code == 303, answer.text
    job = site.get(f"/api/v1/jobs/{answer.headers['location'].split('?')[0].rpartition('/')[2]}").json()
    assert job["name"] == "one.png and 1 more"
    assert site.get("/api/v1/uploads").json()["items"][0]["num_files"] == 2


@pytest.mark.usefixtures("world")
def test_an_upload_that_cannot_be_meant_says_why(site: httpx.Client):
    for name, content, model in (
        ("", b"", "colours"),
        ("../../up.png", b"x", "colours"),
        ("bomb.zip", b"PK\x03\x04 no archive", "colours"),
        ("one.png", b"x", "unknown"),
        ("one.png", b"x", ""),
    ):
        answer = site.post("/upload", data={"model": model}, files=[("files", (name, content))])
        assert (name, answer.status_code) == (name, 422)
        assert 'class="problem"' in answer.text


def test_a_token_is_revoked(site: httpx.Client, token):
    number = token().split("_")[1]
    assert number in site.get("/settings").text
    assert site.post(f"/settings/tokens/{number}/revoke").status_code == 303
    assert "is-revoked" in site.get("/settings").text
    assert site.post(f"/settings/tokens/{number}/revoke").status_code == 409


@pytest.mark.usefixtures("world")
def test_going_back_is_offered_where_there_is_something_to_go_back_to(site: httpx.Client):
    offer = 'action="/models/colours/rollback"'
    assert offer not in site.get("/models/colours").text
    site.post("/models/colours/versions/2/promote")
    assert offer in site.get("/models/colours").text
    site.post("/models/colours/rollback")
    assert offer not in site.get("/models/colours").text
