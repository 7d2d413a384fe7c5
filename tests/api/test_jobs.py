"""Jobs over HTTP, from the request to the row."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from colours import RED, ColourWorker, paint, paint_red_and_green, train

from db.database import Database

JOBS = "/api/v1/jobs"
NUM_PICTURES = 8


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    """A worker that has trained the model `colours`."""
    worker = ColourWorker(ledger)
    train(ledger, worker, paint_red_and_green(tmp_path / "photographs", num_train=6, num_val=4), "colours")
    return worker


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of eight pictures, the half of them red."""
    return paint_red_and_green(tmp_path / "new", num_train=1, num_val=3)


def ask(api: httpx.Client, pictures: Path, **more: object) -> dict[str, object]:
    answer = api.post(JOBS, json={"sources": [str(pictures)], "models": ["colours"], "chunk_size": 2, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def wait_until_planned(api: httpx.Client, job_id: object) -> None:
    """The events end when the job does, and come whenever something has changed."""
    with api.stream("GET", f"{JOBS}/{job_id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data:") and json.loads(line.removeprefix("data:"))["is_planned"]:
                return
    pytest.fail("it has never been planned")


def labelled(api: httpx.Client, worker: ColourWorker, pictures: Path) -> int:
    job_id = int(str(ask(api, pictures)["job_id"]))
    wait_until_planned(api, job_id)
    worker.work()
    return job_id


def test_a_job_that_is_asked_for_is_planned_worked_on_and_shown(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    accepted = ask(api, pictures, name="new pictures", priority="urgent")
    assert (accepted["state"], accepted["name"], accepted["priority"]) == ("running", "new pictures", "urgent")
    assert "not all been found" not in str(accepted["waits_for"])
    wait_until_planned(api, accepted["job_id"])
    worker.work()
    job = api.get(f"{JOBS}/{accepted['job_id']}").json()
    assert (job["state"], job["num_images"], job["num_errors"]) == ("done", NUM_PICTURES, 0)
    assert job["labels"] == {"colours@1": {"green": 4, "red": 4}}


def test_results_come_by_pages_in_source_order_and_can_be_filtered(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    job_id = labelled(api, worker, pictures)
    found, query = [], {"limit": "3"}
    while True:
        page = api.get(f"{JOBS}/{job_id}/results", params=query).json()
        found += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert [one["ordinal"] for one in found] == list(range(NUM_PICTURES))
    assert all(one["label"] == ("red" if "/red/" in one["image"] else "green") for one in found)
    reds = api.get(f"{JOBS}/{job_id}/results", params={"label": "red"}).json()["items"]
    assert reds == [one for one in found if one["label"] == "red"]
    threshold = sorted(one["score"] for one in found)[4]
    sure = api.get(f"{JOBS}/{job_id}/results", params={"min_score": threshold}).json()["items"]
    assert sure == [one for one in found if one["score"] >= threshold]
    unsure = api.get(f"{JOBS}/{job_id}/results", params={"max_score": threshold}).json()["items"]
    assert unsure == [one for one in found if one["score"] <= threshold]
    assert api.get(f"{JOBS}/{job_id}/results/5").json() == found[5]
    assert api.get(f"{JOBS}/{job_id}/results", params={"errors": True}).json()["items"] == []


def test_images_that_cannot_be_read_are_found_by_their_reason(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    (pictures / "train" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing more")
    job_id = labelled(api, worker, pictures)
    (broken,) = api.get(f"{JOBS}/{job_id}/results", params={"errors": True}).json()["items"]
    assert (broken["label"], broken["image"].rpartition("/")[2]) == (None, "broken.png")
    found = api.get(f"{JOBS}/{job_id}/results", params={"reason": broken["reason"]}).json()["items"]
    assert found == [broken]
    assert broken["error"]


@pytest.mark.parametrize("table_format", ["csv", "jsonl", "parquet"])
def test_an_export_has_every_image_in_each_format(
    api: httpx.Client, worker: ColourWorker, pictures: Path, table_format: str
) -> None:
    job_id = labelled(api, worker, pictures)
    answer = api.get(f"{JOBS}/{job_id}/export", params={"format": table_format})
    assert f"job-{job_id}.{table_format}" in answer.headers["content-disposition"]
    match table_format:
        case "csv":
            lines = list(csv.DictReader(io.StringIO(answer.text)))
        case "jsonl":
            lines = [json.loads(line) for line in answer.text.splitlines()]
        case _:
            lines = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    results = api.get(f"{JOBS}/{job_id}/results").json()["items"]
    assert [(line["image"], line["label"]) for line in lines] == [(one["image"], one["label"]) for one in results]
    assert len(lines) == NUM_PICTURES


def test_a_name_that_is_not_utf_8_is_answered_escaped(api: httpx.Client, worker: ColourWorker, tmp_path: Path) -> None:
    paint(tmp_path / "odd" / "plain.png", RED, seed=1).rename(tmp_path / "odd" / "x\udcff.png")
    job_id = labelled(api, worker, tmp_path / "odd")
    (result,) = api.get(f"{JOBS}/{job_id}/results").json()["items"]
    assert result["image"].endswith(".png")
    assert "udcff" in result["image"] or "xff" in result["image"]
    assert api.get(f"{JOBS}/{job_id}/export").status_code == 200


def test_a_request_that_is_sent_again_with_its_key_is_one_job(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    body = {"sources": [str(pictures)], "models": ["colours"]}
    first = api.post(JOBS, json=body, headers={"Idempotency-Key": "monday"}).json()
    wait_until_planned(api, first["job_id"])
    worker.work()
    again = api.post(JOBS, json=body, headers={"Idempotency-Key": "monday"})
    assert (again.status_code, again.json()["job_id"], again.json()["state"]) == (202, first["job_id"], "done")
    other = api.post(JOBS, json=body, headers={"Idempotency-Key": "tuesday"}).json()
    assert other["job_id"] != first["job_id"]
    changed = api.post(JOBS, json={**body, "top_k": 1}, headers={"Idempotency-Key": "monday"})
    assert changed.status_code == 409
    assert changed.json()["type"].endswith(":key-reused")


def test_the_same_request_without_a_key_goes_on_with_its_unfinished_job(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    del worker
    assert ask(api, pictures)["job_id"] == ask(api, pictures)["job_id"]


def test_a_job_can_be_paused_resumed_hurried_and_cancelled(
    api: httpx.Client, worker: ColourWorker, pictures: Path
) -> None:
    job_id = ask(api, pictures)["job_id"]
    assert api.post(f"{JOBS}/{job_id}/pause").json()["state"] == "paused"
    assert worker.work() == 0
    assert api.patch(f"{JOBS}/{job_id}", json={"priority": "urgent"}).json()["priority"] == "urgent"
    assert api.post(f"{JOBS}/{job_id}/resume").json()["state"] == "running"
    assert api.post(f"{JOBS}/{job_id}/cancel").json()["state"] == "cancelled"
    again = api.post(f"{JOBS}/{job_id}/resume")
    assert (again.status_code, again.json()["type"]) == (409, "urn:labelyard:problem:state")


def test_what_a_newer_version_says_differently_is_sent_as_a_table(
    api: httpx.Client, ledger: Database, worker: ColourWorker, pictures: Path
) -> None:
    first = labelled(api, worker, pictures)
    swapped = pictures.parent / "swapped"
    for part in ("train", "val"):
        for name, other in (("red", "green"), ("green", "red")):
            folder = swapped / part / name
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(pictures.parent / "photographs" / part / other)
    train(ledger, worker, swapped, "colours")
    second = api.post(f"{JOBS}/{first}/relabel", json={"model": "colours@2"}).json()["job_id"]
    wait_until_planned(api, second)
    worker.work()
    changed = list(csv.DictReader(io.StringIO(api.get(f"{JOBS}/{second}/diff", params={"before": first}).text)))
    assert len(changed) == NUM_PICTURES
    assert {(line["label_before"], line["label"]) for line in changed} == {("red", "green"), ("green", "red")}


def test_jobs_are_listed_by_pages_the_newest_first(api: httpx.Client, worker: ColourWorker, pictures: Path) -> None:
    del worker
    ids = [ask(api, pictures, top_k=top_k)["job_id"] for top_k in (1, 2, 3)]
    page = api.get(JOBS, params={"limit": 2, "kind": "label"}).json()
    assert [job["job_id"] for job in page["items"]] == ids[:0:-1]
    page = api.get(JOBS, params={"limit": 2, "kind": "label", "cursor": page["next"]}).json()
    assert [job["job_id"] for job in page["items"]] == ids[:1]
    assert page["next"] is None
    assert [job["kind"] for job in api.get(JOBS, params={"kind": "train"}).json()["items"]] == ["train"]


BAD = [
    ({}, 422, "unreadable-request"),
    ({"sources": []}, 422, "unreadable-request"),
    ({"sources": ["relative/folder"]}, 422, "unreadable-request"),
    ({"sources": ["/x"], "unknown": 1}, 422, "unreadable-request"),
    ({"sources": ["/x"], "top_k": "5"}, 422, "unreadable-request"),
    ({"sources": ["/x"], "top_k": 0}, 422, "unreadable-request"),
    ({"sources": ["/x\x00y"]}, 422, "unreadable-request"),
    ({"sources": ["/etc"]}, 409, "source"),
    ({"sources": ["upload:0123456789abcdef"]}, 409, "source"),
    ({"sources": ["job:999"]}, 409, "source"),
    ({"sources": ["/x"], "models": ["nothing-like-it"]}, 404, "unknown-model"),
]


@pytest.mark.parametrize(("body", "status", "kind"), BAD)
def test_a_request_that_cannot_be_meant_is_refused_and_nothing_is_written(
    api: httpx.Client, body: dict[str, object], status: int, kind: str
) -> None:
    answer = api.post(JOBS, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:labelyard:problem:{kind}")
    assert api.get(JOBS).json()["items"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"sources": ["/x"]}', "text/plain", 422),
        (b'{"sources": ["/x"], "top_k": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"sources": ["\\ud800"]}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'"' + b"x" * 5_000_000 + b'"', "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_is_refused(api: httpx.Client, content: bytes, media_type: str, status: int) -> None:
    answer = api.post(JOBS, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/0", 422),
        ("/jobs/-1", 422),
        ("/jobs/x", 422),
        ("/jobs/99999999999999999999", 422),
        ("/jobs/77", 404),
        ("/jobs/77/results", 404),
        ("/jobs/77/results/0", 404),
        ("/jobs/77/export", 404),
        ("/jobs/77/events", 404),
        ("/jobs/77/diff?before=78", 404),
        ("/jobs?cursor=abc", 404),
        ("/jobs?cursor=WyJ4Il0", 404),
        ("/jobs?limit=0", 422),
        ("/jobs?limit=1001", 422),
        ("/jobs?state=asleep", 422),
        ("/nothing", 404),
    ],
)
def test_what_is_not_there_is_said_so(api: httpx.Client, path: str, status: int) -> None:
    answer = api.get(f"/api/v1{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes(api: httpx.Client) -> None:
    answer = api.put(JOBS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_health_needs_no_token_and_tells_nothing(serve: Callable[..., httpx.Client]) -> None:
    guarded = serve("0.0.0.0:0")
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").json() == {"status": "ok"}
