"""The images of a job again, with another version, whatever has become of their files; and what changed."""

import csv
import json
from pathlib import Path

import pytest
from colours import ColourWorker, paint, settings_for_submitting, train
from ledger_steps import job_with
from sqlalchemy import delete, select, update

from core.errors import SourceError, UsageError
from core.jobs import LabelOptions
from core.types import JobKind, JobState, ResizeMode
from db.database import Database
from db.ledger.control import get_job
from db.models import find_model
from db.promotions import promote
from db.tables import ImageTable, JobTable, ResultTable
from orchestrator import origins
from orchestrator.differing import export_changes
from orchestrator.exporting import rows
from orchestrator.planning import plan
from orchestrator.relabelling import submit_relabel
from orchestrator.submitting import LabelRequest, submit
from workers.access import Access

RED, GREEN = (200, 40, 40), (40, 200, 40)
SETTINGS = settings_for_submitting()


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    """Two versions: the second has red and green the other way round."""
    for turn, folders in (("a", ("green", "red")), ("b", ("red", "green"))):
        for part, number in (("train", 6), ("val", 3)):
            for name, colour in zip(folders, (GREEN, RED), strict=True):
                for one in range(number):
                    seed = one + 100 * (part == "val") + 200 * (name == "red") + 400 * (turn == "b")
                    paint(tmp_path / turn / part / name / f"{one}.png", colour, seed=seed)
    worker = ColourWorker(ledger)
    train(ledger, worker, tmp_path / "a", "colours")
    train(ledger, worker, tmp_path / "b", "colours")
    return worker


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for one in range(5):
        paint(tmp_path / "new" / f"{one}.png", RED if one else GREEN, seed=800 + one)
    return tmp_path / "new"


def run(worker: ColourWorker, job_id: int) -> int:
    plan(worker.ledger, job_id, Access.of(SETTINGS))
    worker.work()
    with worker.ledger.read() as session:
        assert get_job(session, job_id).state is JobState.DONE
    return job_id


def label(worker: ColourWorker, source: str, model: str = "colours@1") -> int:
    return run(worker, submit(worker.ledger, SETTINGS, LabelRequest([source], [model])).job_id)


def labels(ledger: Database, job_id: int) -> dict[str, str | None]:
    with ledger.read() as session:
        return {Path(row.image).name: row.label for row in rows(session, job_id)}


def test_the_images_of_a_job_are_labelled_again_though_their_files_are_gone(worker: ColourWorker, pictures: Path):
    first = label(worker, str(pictures))
    num_computed = worker.engine.num_images
    for picture in pictures.iterdir():
        picture.unlink()
    paint(pictures / "later.png", RED, seed=999)
    second = label(worker, f"job:{first}", "colours@2")
    assert worker.engine.num_images == num_computed, "nothing is computed again"
    before, after = labels(worker.ledger, first), labels(worker.ledger, second)
    assert list(after) == list(before) == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert before["1.png"] == "red"
    assert after["1.png"] == "green"


def test_a_file_that_was_overwritten_is_not_taken_for_the_image_that_it_was(worker: ColourWorker, pictures: Path):
    first = label(worker, str(pictures))
    paint(pictures / "1.png", GREEN, seed=1234)
    second = submit(
        worker.ledger,
        SETTINGS,
        LabelRequest([f"job:{first}"], ["colours@1"], LabelOptions(keep_features=False)),
    ).job_id
    run(worker, second)
    with worker.ledger.read() as session:
        found = {row.image: row.error for row in rows(session, second)}
    (error,) = [error for error in found.values() if error is not None]
    assert "is not the image any more that was meant" in error


def test_planning_goes_on_behind_its_cursor_page_by_page(worker, pictures, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(origins, "PAGE_SIZE", 2)
    first = label(worker, str(pictures))
    source = origins.JobSource(worker.ledger, first)
    everything = list(source.items())
    assert [Path(item.name).name for item in everything] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert all(item.sha256 for item in everything)
    assert list(source.items(everything[2].cursor)) == everything[3:]


def test_a_job_that_is_deleted_while_its_images_are_read_is_not_taken_for_one_without_more(
    worker, pictures, monkeypatch
):
    monkeypatch.setattr(origins, "PAGE_SIZE", 2)
    first = label(worker, str(pictures))
    items = origins.JobSource(worker.ledger, first).items()
    next(items)
    with worker.ledger.write() as session:
        session.execute(delete(JobTable).where(JobTable.id == first))
    next(items)
    with pytest.raises(SourceError, match="does not exist"):
        next(items)


class DeletedMeanwhile:
    """A ledger from which a job and its images are deleted in the moment before anything is read of it."""

    def __init__(self, ledger: Database, job_id: int) -> None:
        self.ledger = ledger
        self.job_id = job_id

    def query(self, read):
        with self.ledger.write() as session:
            session.execute(delete(JobTable).where(JobTable.id == self.job_id))
            session.execute(delete(ImageTable).where(ImageTable.job_id == self.job_id))
        return self.ledger.query(read)


def test_a_job_that_is_deleted_between_two_pages_ends_the_planning_with_an_error(worker, pictures, monkeypatch):
    monkeypatch.setattr(origins, "PAGE_SIZE", 2)
    first = label(worker, str(pictures))
    cursor = list(origins.JobSource(worker.ledger, first).items())[1].cursor
    with pytest.raises(SourceError, match="does not exist"):
        list(origins.JobSource(DeletedMeanwhile(worker.ledger, first), first).items(cursor))


def test_jobs_without_images_of_their_own_are_refused(ledger: Database, worker: ColourWorker):
    with pytest.raises(SourceError, match="job:999 does not exist"):
        label(worker, "job:999")
    with pytest.raises(SourceError, match="job:1 is a training"):
        label(worker, "job:1")
    with pytest.raises(UsageError, match="Job 1 is a training"):
        submit_relabel(ledger, SETTINGS, 1, "colours")
    unplanned = job_with(ledger, 4)
    with ledger.write() as session:
        get_job(session, unplanned).planned_at = None
    with pytest.raises(SourceError, match="have not all been found yet"):
        label(worker, f"job:{unplanned}")


def test_a_label_job_ends_on_the_version_that_it_began_with(worker: ColourWorker, pictures: Path):
    job_id = submit(
        worker.ledger, SETTINGS, LabelRequest([str(pictures)], ["colours"], LabelOptions(chunk_size=1))
    ).job_id
    num_batches = 0

    def promote_in_the_middle() -> None:
        nonlocal num_batches
        num_batches += 1
        if num_batches == 2:
            with worker.ledger.write() as session:
                assert promote(session, find_model(session, "colours", 2))

    worker.engine.on_batch = promote_in_the_middle
    run(worker, job_id)
    assert num_batches == 5
    assert labels(worker.ledger, job_id) == {
        "0.png": "green", "1.png": "red", "2.png": "red", "3.png": "red", "4.png": "red",
    }  # fmt: skip
    assert labels(worker.ledger, label(worker, str(pictures), "colours"))["1.png"] == "green"


@pytest.mark.parametrize("by", ["job", "name"])
def test_what_changed_between_two_jobs_is_written(worker: ColourWorker, pictures: Path, tmp_path: Path, by: str):
    first = label(worker, str(pictures))
    (pictures / "1.png").write_bytes(b"no picture")
    second = label(worker, f"job:{first}" if by == "job" else str(pictures), "colours@2")
    out = tmp_path / "changed.csv"
    found = export_changes(worker.ledger, second, first, out)
    with out.open() as file:
        changes = {Path(row["image"]).name: (row["label_before"], row["label"]) for row in csv.DictReader(file)}
    expected = dict.fromkeys(["2.png", "3.png", "4.png"], ("red", "green")) | {"0.png": ("green", "red")}
    expected["1.png"] = ("red", "green") if by == "job" else ("red", "")
    assert changes == expected
    assert found.num_changed == found.num_compared == 5
    assert found.num_left == 0
    assert found.most_frequent[0] == ("red", "green", 4 if by == "job" else 3)
    export_changes(worker.ledger, second, first, tmp_path / "changed.parquet")
    export_changes(worker.ledger, second, first, tmp_path / "changed.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "changed.jsonl").read_text().splitlines()]
    assert lines[0]["model_before"] == "colours@1"
    assert lines[0]["model"] == "colours@2"


def test_two_jobs_that_say_the_same_differ_in_nothing(worker: ColourWorker, pictures: Path, tmp_path: Path):
    first, second = label(worker, str(pictures)), label(worker, str(pictures))
    found = export_changes(worker.ledger, second, first, tmp_path / "changed.csv")
    assert found.num_changed == 0
    assert (tmp_path / "changed.csv").read_text().count("\n") == 1
    with pytest.raises(UsageError, match="Job 1 is a training"):
        export_changes(worker.ledger, second, 1, tmp_path / "changed.csv")


def test_the_earlier_job_may_be_the_one_that_was_made_of_the_other(worker, pictures: Path, tmp_path: Path):
    first = label(worker, str(pictures))
    second = label(worker, f"job:{first}", "colours@2")
    with worker.ledger.write() as session:
        session.execute(update(ImageTable).where(ImageTable.job_id == second).values(name="all the same"))
    found = export_changes(worker.ledger, first, second, tmp_path / "changed.csv")
    assert (found.num_compared, found.num_changed) == (5, 5), "compared by place, whatever they are called"


def test_an_image_that_is_named_twice_is_compared_as_often_as_the_later_job_has_it(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    twice = tmp_path / "twice.txt"
    twice.write_text(f"{pictures / '0.png'}\n{pictures / '0.png'}\n{pictures / '1.png'}\n")
    first, second = label(worker, str(twice)), label(worker, str(twice), "colours@2")
    found = export_changes(worker.ledger, second, first, tmp_path / "changed.csv")
    assert (found.num_compared, found.num_changed) == (3, 3)


def test_names_that_databases_sort_in_their_own_way_find_each_other(
    worker: ColourWorker, tmp_path: Path, ledger: Database
):
    names = ["a.png", "B.png", "é.png", "_.png", "a b.png", "\udce9.png", "back\\slash.png", "日本.png"]
    (tmp_path / "made").mkdir()
    for seed, name in enumerate(names):
        paint(tmp_path / "plain.png", RED, seed=seed).rename(tmp_path / "made" / name)
    first = label(worker, str(tmp_path / "made"))
    second = label(worker, str(tmp_path / "made"), "colours@2")
    found = export_changes(ledger, second, first, tmp_path / "changed.csv")
    assert (found.num_compared, found.num_changed) == (len(names), len(names))


def test_images_without_a_row_in_both_jobs_are_left_out_and_counted(worker, pictures: Path, tmp_path: Path):
    first = label(worker, str(pictures))
    paint(pictures / "later.png", RED, seed=999)
    second = label(worker, str(pictures), "colours@2")
    with worker.ledger.write() as session:
        session.execute(delete(ResultTable).where(ResultTable.job_id == second, ResultTable.ordinal == 0))
    found = export_changes(worker.ledger, second, first, tmp_path / "changed.csv")
    assert (found.num_compared, found.num_left, found.num_changed) == (4, 2, 4)
    assert found.most_frequent == [("red", "green", 4)], "an image that waits has no error"


def test_a_relabelling_treats_the_images_as_the_first_job_did(worker: ColourWorker, pictures: Path):
    asked = LabelOptions(top_k=1, chunk_size=2, keep_features=False, resize=ResizeMode.PAD)
    request = LabelRequest([str(pictures)], ["colours@1"], asked, abstain=0.95)
    first = run(worker, submit(worker.ledger, SETTINGS, request).job_id)
    second = run(worker, submit_relabel(worker.ledger, SETTINGS, first, "colours@2").job_id)
    with worker.ledger.read() as session:
        assert get_job(session, first).options["thresholds"]
        job = get_job(session, second)
        assert (job.kind, LabelOptions.from_json(job.options)) == (JobKind.LABEL, asked), "but for thresholds"
        assert "again with colours@2" in job.name
        assert session.scalars(select(ImageTable.sha256).where(ImageTable.job_id == second)).first() is None


def test_a_relabelling_knows_the_contents_that_the_first_job_saw(worker: ColourWorker, pictures: Path):
    first = label(worker, str(pictures))
    second = submit_relabel(worker.ledger, SETTINGS, first, "colours@2").job_id
    plan(worker.ledger, second, Access.of(SETTINGS))
    with worker.ledger.read() as session:
        hashes = session.scalars(select(ImageTable.sha256).where(ImageTable.job_id == second)).all()
    assert [sha256 is None for sha256 in hashes] == [False] * 5
