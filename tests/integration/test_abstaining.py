"""`--abstain`: predictions below their class's threshold are marked, in results, exports and summaries."""

import csv
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from colours import ColourWorker, paint, paint_red_and_green, settings_for_submitting, train
from sqlalchemy import select

from core.errors import UsageError
from core.types import JobState
from db.database import Database
from db.ledger.control import get_job
from db.tables import ResultTable
from orchestrator.exporting import export
from orchestrator.planning import plan
from orchestrator.submitting import LabelRequest, submit
from orchestrator.summary import summarise
from workers.access import Access

BETWEEN = (122, 118, 40)


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    paint_red_and_green(tmp_path / "photos", num_train=10, num_val=10)
    # One that is filed wrongly, with a score in the middle: below it, answers are wrong.
    paint(tmp_path / "photos" / "val" / "red" / "odd.png", (110, 130, 40), seed=999)
    worker = ColourWorker(ledger)
    train(ledger, worker, tmp_path / "photos", "colours")
    return worker


def label(worker: ColourWorker, folder: Path, **options: object) -> int:
    settings = settings_for_submitting()
    job_id = submit(worker.ledger, settings, LabelRequest([str(folder)], ["colours"], **options)).job_id
    plan(worker.ledger, job_id, Access.of(settings))
    assert worker.work() == 1
    with worker.ledger.read() as session:
        assert get_job(session, job_id).state is JobState.DONE
    return job_id


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, colour in (("a", (220, 30, 30)), ("b", (30, 220, 30)), ("c", BETWEEN)):
        paint(tmp_path / "new" / f"{name}.png", colour, seed=500)
    (tmp_path / "new" / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path / "new"


def test_an_uncertain_prediction_is_marked_and_a_certain_one_is_not(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    job_id = label(worker, pictures, abstain=0.95)
    out = tmp_path / "labels.csv"
    export(worker.ledger, job_id, out)
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["image"]).name, row["needs_review"]) for row in rows] == [
        ("a.png", "false"),
        ("b.png", "false"),
        ("c.png", "true"),
        ("d.png", ""),
    ]
    export(worker.ledger, job_id, tmp_path / "labels.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [line["needs_review"] for line in lines] == [False, False, True, None]
    export(worker.ledger, job_id, tmp_path / "labels.parquet")
    table = pq.read_table(tmp_path / "labels.parquet")
    assert table.column("needs_review").to_pylist() == [False, False, True, None]
    with worker.ledger.read() as session:
        assert summarise(session, job_id).num_to_review == 1


def test_without_abstaining_nothing_is_marked_and_files_are_as_before(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    job_id = label(worker, pictures)
    out = tmp_path / "labels.csv"
    export(worker.ledger, job_id, out)
    assert out.read_text().splitlines()[0] == "image,label,label_id,score,topk,error"
    with worker.ledger.read() as session:
        assert summarise(session, job_id).num_to_review is None


def test_each_row_says_which_content_was_seen(worker: ColourWorker, pictures: Path):
    job_id = label(worker, pictures)
    with worker.ledger.read() as session:
        hashes = session.scalars(
            select(ResultTable.sha256).where(ResultTable.job_id == job_id).order_by(ResultTable.ordinal)
        ).all()
    expected = [hashlib.sha256((pictures / f"{name}.png").read_bytes()).hexdigest() for name in "abc"]
    assert hashes == [*expected, None]


def test_a_published_model_cannot_abstain(worker: ColourWorker, pictures: Path):
    request = LabelRequest([str(pictures)], ["mobilenet-0.25"], abstain=0.9)
    with pytest.raises(UsageError, match=r"imagenet:mobilenet-0\.25@1 has none"):
        submit(worker.ledger, settings_for_submitting(), request)
