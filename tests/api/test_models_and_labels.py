"""Models, labels, review and schedules over HTTP."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from colours import GREEN, RED, ColourWorker, label, paint
from problems import kind
from program import wait_for
from pydantic import SecretStr

from orchestrator.api.routes import models

API = "/api/v1"


@pytest.mark.usefixtures("worker")
def test_a_model_is_shown_exported_and_brought_back_under_another_name(api: httpx.Client) -> None:
    shown = api.get(f"{API}/models/colours").json()
    assert (shown["model"], shown["state"], shown["classes"]) == ("colours@1", "champion", ["green", "red"])
    assert api.get(f"{API}/models/colours/versions/1").json() == shown
    exported = api.get(f"{API}/models/colours/versions/1/export", params={"format": "safetensors"})
    assert 'filename="colours-1.safetensors"' in exported.headers["content-disposition"]
    brought = api.post(
        f"{API}/models",
        params={"name": "paints"},
        content=exported.content,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert (brought.status_code, brought.json()) == (201, {"model": "paints@1", "is_champion": True})
    assert api.get(f"{API}/models/paints").json()["classes"] == ["green", "red"]


@pytest.mark.parametrize("what", ["export", "report"])
def test_who_waits_too_long_for_others_files_is_told_to_come_again(
    serve: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(models, "NUM_WRITING", 0)
    monkeypatch.setattr(models, "MAX_WAIT_S", 0.1)
    answer = serve().get(f"{API}/models/colours/versions/1/{what}")
    assert (answer.status_code, kind(answer)) == (503, "busy")


@pytest.mark.usefixtures("worker")
def test_a_report_is_a_page(api: httpx.Client) -> None:
    report = api.get(f"{API}/models/colours/versions/1/report")
    assert report.headers["content-type"].startswith("text/html")
    assert "colours@1" in report.text


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 100])
def test_a_file_that_is_no_model_is_refused(api: httpx.Client, content: bytes) -> None:
    answer = api.post(f"{API}/models", content=content, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 409
    assert len(api.get(f"{API}/models").json()) == 1


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("path", ["/models/nothing", "/models/colours/versions/9", "/models/nothing/versions/1/export"])
def test_a_model_that_is_not_there_is_said_so(api: httpx.Client, path: str) -> None:
    answer = api.get(f"{API}{path}")
    assert (answer.status_code, kind(answer)) == (404, "unknown-model")


@pytest.mark.usefixtures("worker")
def test_the_first_champion_cannot_be_rolled_back(api: httpx.Client) -> None:
    answer = api.post(f"{API}/models/colours/rollback")
    assert (answer.status_code, kind(answer)) == (409, "state")


@pytest.mark.usefixtures("worker")
def test_labels_that_are_said_are_listed_with_who_said_them(api: httpx.Client, tmp_path: Path) -> None:
    picture = paint(tmp_path / "new" / "x.png", RED, seed=77)
    body = {"labels": [{"image": str(picture), "label": "red"}], "by": "ada"}
    assert api.post(f"{API}/labels", json=body).json()["num_added"] == 1
    assert api.post(f"{API}/labels", json=body).json()["num_known"] == 1
    (said,) = api.get(f"{API}/labels").json()
    assert (said["label"], said["annotator"], said["counts"]) == ("red", "ada", True)


@pytest.mark.usefixtures("worker")
def test_one_label_that_cannot_be_taken_keeps_all_others_out(api: httpx.Client, tmp_path: Path) -> None:
    picture = paint(tmp_path / "new" / "x.png", RED, seed=77)
    good = {"image": str(picture), "label": "red"}
    for bad in ({"image": "never-seen.png", "label": "red"}, {"image": str(picture), "label": "purple"}):
        answer = api.post(f"{API}/labels", json={"labels": [good, bad]})
        assert (answer.status_code, kind(answer)) == (409, "usage")
    assert api.get(f"{API}/labels").json() == []


def test_labels_of_a_labelled_image_are_said_by_its_name_and_content(
    api: httpx.Client, worker: ColourWorker, tmp_path: Path
) -> None:
    picture = paint(tmp_path / "new" / "x.png", GREEN, seed=77)
    job = label(worker, tmp_path / "new")
    (result,) = api.get(f"{API}/jobs/{job}/results").json()["items"]
    picture.unlink()
    body = {"labels": [{"image": result["image"], "sha256": result["sha256"], "label": "red"}]}
    assert api.post(f"{API}/labels", json=body).json()["num_added"] == 1
    (said,) = api.get(f"{API}/labels").json()
    assert (said["label"], said["sha256"]) == ("red", result["sha256"])


@pytest.mark.usefixtures("worker")
def test_labels_go_out_as_a_file_and_come_in_again(api: httpx.Client, tmp_path: Path) -> None:
    picture = paint(tmp_path / "new" / "x.png", RED, seed=77)
    api.post(f"{API}/labels", json={"labels": [{"image": str(picture), "label": "red"}], "by": "ada"})
    for name, file_format in (("labels.csv", "csv"), ("tasks.json", "label-studio")):
        file = api.get(f"{API}/labels/export", params={"format": file_format}).content
        again = api.post(f"{API}/labels/import", params={"name": name}, content=file)
        assert (again.status_code, again.json()["num_known"]) == (201, 1), again.text
    changed = file.replace(b'"red"', b'"green"')
    assert api.post(f"{API}/labels/import", params={"name": "tasks.json"}, content=changed).json()["num_added"] == 1
    coco = json.loads(api.get(f"{API}/labels/export", params={"format": "coco"}).content)
    assert [one["name"] for one in coco["categories"]] == ["green", "red"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("asked", ["bytes=0-3", "bytes=900000-", "lines=1-2", "nonsense"])
def test_a_file_that_is_made_is_sent_whole_and_left_nowhere(
    api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    picture = paint(tmp_path / "new" / "x.png", RED, seed=77)
    assert api.post(f"{API}/labels", json={"labels": [{"image": str(picture), "label": "red"}]}).status_code == 201
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    whole = api.get(f"{API}/labels/export")
    part = api.get(f"{API}/labels/export", headers={"Range": asked})
    assert (part.status_code, part.content) == (200, whole.content)
    # Deleted behind the answer.
    wait_for(lambda: not list(scratch.iterdir()), "the folders to be gone")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("labels.csv", b"", 409),
        ("labels.csv", b"image,label\n/etc/passwd,red\n", 409),
        ("labels.csv", b"picture,label\nx,red\n", 409),
        ("tasks.json", b"{", 409),
        ("labels.txt", b"x", 422),
        ("../labels.csv", b"x", 422),
        (f"{'é' * 190}.csv", b"", 409),
    ],
)
def test_a_file_of_another_form_is_refused(api: httpx.Client, name: str, content: bytes, status: int) -> None:
    answer = api.post(f"{API}/labels/import", params={"name": name}, content=content)
    assert answer.status_code == status, answer.text
    assert "root:" not in answer.text
    assert api.get(f"{API}/labels").json() == []


def test_what_is_worth_a_look_is_handed_out_once(api: httpx.Client, worker: ColourWorker, tmp_path: Path) -> None:
    for number in range(5):
        paint(tmp_path / "new" / f"{number}.png", RED, seed=number)
    label(worker, tmp_path / "new")
    first = api.post(f"{API}/review/next", json={"count": 3}).json()
    second = api.post(f"{API}/review/next", json={"count": 3}).json()
    assert (len(first), len(second)) == (3, 2)
    assert {one["sha256"] for one in first}.isdisjoint(one["sha256"] for one in second)
    assert len(api.get(f"{API}/review/open").json()) == 5
    answer = api.post(f"{API}/review/next", json={})
    assert (answer.status_code, kind(answer)) == (409, "usage")


@pytest.mark.usefixtures("worker")
def test_a_schedule_is_added_run_disabled_and_removed(api: httpx.Client) -> None:
    body = {"name": "nightly", "model": "colours", "cron": "0 3 * * *", "tz": "Asia/Seoul", "when": "new_labels>=50"}
    added = api.post(f"{API}/schedules", json=body)
    assert (added.status_code, added.json()["time_zone"]) == (201, "Asia/Seoul")
    again = api.post(f"{API}/schedules", json=body)
    assert (again.status_code, kind(again)) == (409, "state")
    assert api.post(f"{API}/schedules/nightly/disable").json()["next_at"] is None
    assert api.post(f"{API}/schedules/nightly/enable").json()["next_at"] is not None
    run = api.post(f"{API}/schedules/nightly/run")
    assert (run.status_code, run.json()["trigger"]) == (202, "manual")
    assert len(api.get(f"{API}/schedules/nightly/history").json()) == 1
    busy = api.delete(f"{API}/schedules/nightly")
    assert (busy.status_code, kind(busy)) == (409, "state")
    assert api.post(f"{API}/schedules", json=body | {"name": "weekly"}).status_code == 201
    assert api.delete(f"{API}/schedules/weekly").is_success
    assert [one["name"] for one in api.get(f"{API}/schedules").json()] == ["nightly"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"cron": "0 25 * * *"}, "cron"),
        ({"tz": "Mars/Olympus"}, "Mars/Olympus"),
        ({"when": "new_lables>=50"}, "new_lables"),
        ({"promote_if": "__import__('os')"}, "__import__"),
        ({"model": "nothing"}, "nothing"),
        ({"relabel": 77}, "77"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_and_the_word_named(
    api: httpx.Client, changes: dict[str, object], word: str
) -> None:
    body = {"name": "nightly", "model": "colours", "cron": "0 3 * * *"} | changes
    answer = api.post(f"{API}/schedules", json=body)
    assert answer.status_code in (404, 409)
    assert word in answer.json()["detail"]
    assert api.get(f"{API}/schedules").json() == []


def test_leftovers_are_only_shown_unless_it_is_said_otherwise(api: httpx.Client, worker: ColourWorker) -> None:
    del worker
    nothing_is_kept = {"older_than_days": 0, "max_feature_bytes": 0}
    shown = api.post(f"{API}/gc", json=nothing_is_kept).json()
    assert (shown["is_deleted"], "feature vectors" in [one["kind"] for one in shown["leftovers"]]) == (False, True)
    assert [one["num_vectors"] for one in api.get(f"{API}/features").json()] == [20]
    assert api.post(f"{API}/gc", json=nothing_is_kept | {"dry_run": False}).json()["is_deleted"] is True
    assert api.get(f"{API}/features").json() == []


def test_what_is_kept_is_shown_and_pruned(api: httpx.Client, worker: ColourWorker) -> None:
    del worker
    (features,) = api.get(f"{API}/features").json()
    assert features["num_vectors"] == 20
    assert api.delete(f"{API}/features").status_code == 409, "all of them only if it is said"
    assert api.delete(f"{API}/features", params={"all": True}).json() == {"num_vectors": 20}


def test_settings_are_shown_with_their_passwords_masked(serve: Callable[..., httpx.Client]) -> None:
    api = serve(smtp_url=SecretStr("smtp://ada:s3cret@mail.example.org:587"), webhook_secret=SecretStr("whsec_s3cret"))
    answer = api.get(f"{API}/settings")
    settings = {one["name"]: one["value"] for one in answer.json()}
    assert "mail.example.org" in settings["LABELYARD_SMTP_URL"]
    assert "s3cret" not in answer.text
    assert "LABELYARD_RATE_LIMIT" in settings
    assert {one["name"] for one in api.get(f"{API}/backbones").json()} >= {"vgg16", "mobilenet-0.25"}
    assert api.get(f"{API}/notifications").json() == []
