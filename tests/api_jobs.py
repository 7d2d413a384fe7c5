"""Jobs that a test asks for over HTTP: sent, planned, worked on. Knows nothing of results."""

import json
from pathlib import Path

import httpx
from colours import ColourWorker

JOBS = "/api/v1/jobs"
NUM_PICTURES = 8  # in the folder that tests have labelled, the half of them red


def ask(api: httpx.Client, pictures: Path, **more: object) -> dict[str, object]:
    """Ask for a folder to be labelled; what the server answers."""
    answer = api.post(JOBS, json={"sources": [str(pictures)], "models": ["colours"], "chunk_size": 2, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def wait_until_planned(api: httpx.Client, job_id: object) -> None:
    """The events end when the job does, and come whenever something has changed."""
    with api.stream("GET", f"{JOBS}/{job_id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data:") and json.loads(line.removeprefix("data:"))["is_planned"]:
                return
    raise AssertionError("it has never been planned")


def labelled(api: httpx.Client, worker: ColourWorker, pictures: Path) -> int:
    """A job that is done."""
    job_id = int(str(ask(api, pictures)["job_id"]))
    wait_until_planned(api, job_id)
    worker.work()
    return job_id
