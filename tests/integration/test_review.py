"""What people are handed out to look at: no image twice, nothing that is known, nothing of another model."""

import csv
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from colours import ColourWorker, label, paint, paint_red_and_green, settings_for_submitting, train
from program import Cli
from sqlalchemy import delete, update

from core.errors import UnknownJobError, UsageError
from core.types import AnnotationOrigin, Strategy
from db.annotations import annotations_of
from db.database import Database
from db.model_tables import FeatureTable
from db.tables import ResultTable
from orchestrator.labels.reading import LabelFile
from orchestrator.labels.recording import Taking, record
from orchestrator.review.handing_out import ReviewRequest, hand_out, open_reviews
from orchestrator.review.sheets import write_sheet
from workers.access import Access


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    paint_red_and_green(tmp_path / "photos", num_train=6, num_val=4)
    worker = ColourWorker(ledger)
    train(ledger, worker, tmp_path / "photos", "colours", num_epochs=200, patience=0)
    return worker


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures from green to red; 4 and 5 are in the middle."""
    for one in range(10):
        paint(tmp_path / "new" / f"{one}.png", (40 + 18 * one, 202 - 18 * one, 40), seed=700 + one)
    return tmp_path / "new"


def names(images) -> list[str]:
    return [Path(image.image).stem for image in images]


def test_the_most_uncertain_come_first(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    images = hand_out(worker.ledger, ReviewRequest("colours", count=4, strategy=Strategy.UNCERTAIN))
    assert set(names(images)) == {"3", "4", "5", "6"}
    assert [image.uncertainty for image in images] == sorted((image.uncertainty for image in images), reverse=True)
    assert images[0].second not in (None, images[0].label)


def test_no_image_is_handed_out_twice_also_to_two_people_at_once(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    with ThreadPoolExecutor(4) as pool:
        rounds = list(
            pool.map(lambda seed: hand_out(worker.ledger, ReviewRequest("colours", count=2, seed=seed)), range(4))
        )
    handed_out = [image.sha256 for images in rounds for image in images]
    assert len(handed_out) == len(set(handed_out))
    rest = hand_out(worker.ledger, ReviewRequest("colours", count=10))
    assert len(handed_out) + len(rest) == 10
    with pytest.raises(UsageError, match="Nothing is left"):
        hand_out(worker.ledger, ReviewRequest("colours"))


def test_two_people_who_ask_for_the_same_at_once_get_different_images(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    with ThreadPoolExecutor(2) as pool:
        rounds = list(pool.map(lambda _: hand_out(worker.ledger, ReviewRequest("colours", count=3)), range(2)))
    handed_out = [image.sha256 for images in rounds for image in images]
    assert all(rounds)
    assert len(handed_out) == len(set(handed_out))


def test_what_is_labelled_or_learned_from_and_copies_are_not_handed_out(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    (pictures / "copy.png").write_bytes((pictures / "4.png").read_bytes())
    sheet = tmp_path / "known.csv"
    sheet.write_text(f"image,label\n{pictures / '5.png'},red\n")
    record(
        worker.ledger,
        settings_for_submitting(),
        LabelFile(str(sheet)).read(Access.of(settings_for_submitting())),
        Taking(),
    )
    label(worker, pictures, tmp_path / "photos")
    images = hand_out(worker.ledger, ReviewRequest("colours", count=100, strategy=Strategy.RANDOM))
    assert sorted(names(images)) == ["0", "1", "2", "3", "4", "6", "7", "8", "9"]


def test_when_nothing_is_left_each_reason_is_named_with_its_number(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    label(worker, tmp_path / "photos")
    with pytest.raises(UsageError, match="Nothing is left") as just_trained:
        hand_out(worker.ledger, ReviewRequest("colours"))
    assert "Of its 20 different images, 20 are in the dataset that 'colours' learned from" in str(just_trained.value)
    assert "review list" not in str(just_trained.value)
    sheet = tmp_path / "known.csv"
    sheet.write_text(f"image,label\n{pictures / '5.png'},red\n")
    settings = settings_for_submitting()
    record(worker.ledger, settings, LabelFile(str(sheet)).read(Access.of(settings)), Taking())
    label(worker, pictures, tmp_path / "photos")
    hand_out(worker.ledger, ReviewRequest("colours", count=100))
    with pytest.raises(
        UsageError, match=r"Of its 30 .* 1 have labels by people, 9 were handed out .*review list.* 20 are"
    ):
        hand_out(worker.ledger, ReviewRequest("colours"))


def test_a_sheet_that_was_corrected_is_taken_in_with_what_the_person_saw(
    worker: ColourWorker, pictures: Path, tmp_path: Path
):
    label(worker, pictures)
    images = hand_out(worker.ledger, ReviewRequest("colours", count=3))
    sheet = tmp_path / "look.csv"
    write_sheet(sheet, images)
    with sheet.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} <= {"red", "green"}
    with worker.ledger.read() as session:
        assert len(open_reviews(session, "colours")) == 3
    settings = settings_for_submitting()
    report = record(worker.ledger, settings, LabelFile(str(sheet)).read(Access.of(settings)), Taking(annotator="ada"))
    assert report.num_added == 3
    with worker.ledger.read() as session:
        assert open_reviews(session, "colours") == []
        (first, *_) = annotations_of(session, "colours")
    assert (first.origin, first.annotator) == (AnnotationOrigin.REVIEWED, "ada")
    assert first.shown_model_id is not None


def test_of_one_class_not_more_come_than_asked(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    images = hand_out(worker.ledger, ReviewRequest("colours", count=10, per_class=2))
    assert sorted(image.label for image in images) == ["green", "green", "red", "red"]


def test_images_without_kept_features_can_still_be_uncertain(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    with worker.ledger.write() as session:
        session.execute(delete(FeatureTable))
    with pytest.raises(UsageError, match="--strategy uncertain"):
        hand_out(worker.ledger, ReviewRequest("colours"))
    assert len(hand_out(worker.ledger, ReviewRequest("colours", count=2, strategy=Strategy.UNCERTAIN))) == 2


def test_a_job_whose_images_were_not_hashed_says_so(worker: ColourWorker, pictures: Path):
    job_id = label(worker, pictures)
    with worker.ledger.write() as session:
        session.execute(update(ResultTable).where(ResultTable.job_id == job_id).values(sha256=None))
    with pytest.raises(UsageError, match="Label them again"):
        hand_out(worker.ledger, ReviewRequest("colours", job_id=job_id))


def test_a_job_that_is_not_there_or_of_another_kind_is_refused(worker: ColourWorker):
    with pytest.raises(UnknownJobError):
        hand_out(worker.ledger, ReviewRequest("colours", job_id=999))
    with pytest.raises(UsageError, match="has not been labelled by 'colours'"):
        hand_out(worker.ledger, ReviewRequest("colours", job_id=1))
    with pytest.raises(UsageError, match="has labelled nothing yet"):
        hand_out(worker.ledger, ReviewRequest("colours"))


def test_the_hash_on_a_sheet_is_that_of_the_file(worker: ColourWorker, pictures: Path):
    label(worker, pictures)
    (image,) = hand_out(worker.ledger, ReviewRequest("colours", count=1))
    assert image.sha256 == hashlib.sha256((pictures / Path(image.image).name).read_bytes()).hexdigest()


def test_a_person_is_told_what_to_look_at_and_what_to_do_with_it(
    worker: ColourWorker, pictures: Path, database_url: str, tmp_path: Path
):
    label(worker, pictures)
    cli = Cli(os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}, tmp_path)

    done = cli("review", "next", "--model", "colours", "--count", "2", "--out", "look.csv")

    assert done.returncode == 0, done.stderr
    assert "labelyard labels import look.csv --model colours" in " ".join(done.stdout.split())
    with (tmp_path / "look.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert all(Path(row["image"]).is_file() for row in rows)
    waiting = cli.json("review", "list", "--model", "colours")
    assert {Path(image["image"]).name for image in waiting} == {Path(row["image"]).name for row in rows}

    done = cli("labels", "import", "look.csv", "--model", "colours")

    assert done.returncode == 0, done.stderr
    assert cli.json("review", "list", "--model", "colours") == []


def test_no_image_is_handed_out_if_the_sheet_cannot_be_written(
    worker: ColourWorker, pictures: Path, database_url: str, tmp_path: Path
):
    label(worker, pictures)
    cli = Cli(os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}, tmp_path)

    done = cli("review", "next", "--model", "colours", "--out", "nowhere/look.csv")

    assert done.returncode == 2
    assert "does not exist" in " ".join(done.stderr.split())
    assert cli.json("review", "list", "--model", "colours") == []
