"""What came of jobs, over HTTP: by pages, filtered, as tables."""

import csv
import io
import json
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from api_jobs import JOBS, NUM_PICTURES, labelled, wait_until_planned
from colours import RED, ColourWorker, paint, train

from db.database import Database


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
