"""Jobs over HTTP, from the request to the row. Their results are in test_results.py."""

from collections.abc import Callable
from pathlib import Path

import httpx
from api_jobs import JOBS, NUM_PICTURES, ask, wait_until_planned
from colours import ColourWorker


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


def test_jobs_are_listed_by_pages_the_newest_first(api: httpx.Client, worker: ColourWorker, pictures: Path) -> None:
    del worker
    ids = [ask(api, pictures, top_k=top_k)["job_id"] for top_k in (1, 2, 3)]
    page = api.get(JOBS, params={"limit": 2, "kind": "label"}).json()
    assert [job["job_id"] for job in page["items"]] == ids[:0:-1]
    page = api.get(JOBS, params={"limit": 2, "kind": "label", "cursor": page["next"]}).json()
    assert [job["job_id"] for job in page["items"]] == ids[:1]
    assert page["next"] is None
    assert [job["kind"] for job in api.get(JOBS, params={"kind": "train"}).json()["items"]] == ["train"]


def test_health_needs_no_token_and_tells_nothing(serve: Callable[..., httpx.Client]) -> None:
    guarded = serve("0.0.0.0:0")
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").json() == {"status": "ok"}
