"""`--tune`: a handful of settings, the best by the validation images, and the same ones whenever it is done again."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from colours import BACKBONE, ColourWorker, paint, settings_for_submitting, train
from ledger_steps import expire_leases, sweep
from sqlalchemy import delete, select

from core.errors import UsageError
from core.training import TrainingRecord, TrainOptions
from core.types import ArtifactKind, Augment, TrainMode
from db.database import Database
from db.ledger.control import get_job
from db.model_tables import ArtifactTable, FeatureTable
from db.models import find_model
from orchestrator.reporting import write_report
from orchestrator.training import DatasetRequest, TrainRequest, submit_training
from workers.training import stages
from workers.training.checkpoints import Checkpoints
from workers.training.tuning import MAX_NUM_EPOCHS


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for part, number in (("train", 8), ("val", 6)):
        for name, colour in (("green", (90, 150, 60)), ("red", (150, 90, 60))):
            for one in range(number):
                seed = one + 100 * (part == "val") + 200 * (name == "red")
                shade = [value + 8 * (one % 5 - 2) for value in colour]
                paint(tmp_path / "photos" / part / name / f"{one}.png", shade, seed=seed)
    return tmp_path / "photos"


def record(ledger: Database, version: int) -> TrainingRecord:
    with ledger.read() as session:
        model = find_model(session, "colours", version)
        assert model is not None
        return TrainingRecord.from_json(model.training or {})


def test_the_setting_with_the_lowest_validation_loss_is_trained(ledger: Database, photos: Path):
    worker = ColourWorker(ledger)
    train(ledger, worker, photos, "colours", num_epochs=5)
    job_id = train(ledger, worker, photos, "colours", num_epochs=5, tunes=True)
    tuned = record(ledger, 2)
    assert record(ledger, 1).trials == ()
    assert [trial["num_epochs"] for trial in tuned.trials] == [5, 5, 5, 15, tuned.trials[4]["num_epochs"]]
    best = min(tuned.trials, key=lambda trial: trial["val_loss"])
    chosen = TrainOptions.from_json(tuned.options)
    assert (chosen.learning_rate, chosen.num_epochs, chosen.augment) == (
        best["learning_rate"],
        best["num_epochs"],
        best["augment"],
    )
    assert best["val_loss"] < tuned.trials[0]["val_loss"], "five epochs of a small rate are too few"
    with ledger.read() as session:
        assert get_job(session, job_id).options["num_epochs"] == 5, "what was asked for stays as it was"


def test_a_search_that_is_made_again_tries_and_finds_the_same(ledger: Database, photos: Path):
    worker = ColourWorker(ledger)
    for _ in range(2):
        train(ledger, worker, photos, "colours", num_epochs=5, tunes=True)
    assert record(ledger, 1).trials == record(ledger, 2).trials
    assert record(ledger, 1).options == record(ledger, 2).options


class WorkerKilledError(Exception):
    """Stands for the death of the process that trains."""


@pytest.mark.parametrize("in_the", ["search", "fit behind it"])
def test_a_tuning_whose_worker_dies_comes_to_the_same_model(ledger: Database, photos: Path, in_the: str, monkeypatch):
    worker = ColourWorker(ledger)
    train(ledger, worker, photos, "colours", num_epochs=5, tunes=True, augment=Augment.STRONG)
    with ledger.write() as session:
        session.execute(delete(FeatureTable))
    if in_the == "search":
        worker.engine.on_batch = dying_at(3)
    else:
        monkeypatch.setattr(stages, "CHECKPOINT_INTERVAL_S", 0)
        save, die = Checkpoints.save, dying_at(3)
        monkeypatch.setattr(Checkpoints, "save", lambda *args: (save(*args), die()))
    with pytest.raises(WorkerKilledError):
        train(ledger, worker, photos, "colours", num_epochs=5, tunes=True, augment=Augment.STRONG)
    worker.engine.on_batch = lambda: None
    monkeypatch.undo()
    expire_leases(ledger)
    sweep(ledger)
    assert worker.work() == 1
    unbroken, broken = record(ledger, 1), record(ledger, 2)
    assert (broken.trials, broken.options, broken.best_epoch) == (
        unbroken.trials,
        unbroken.options,
        unbroken.best_epoch,
    )
    with ledger.read() as session:
        hashes = session.scalars(select(ArtifactTable.sha256).where(ArtifactTable.kind == ArtifactKind.HEAD)).all()
    assert len(hashes) == 2
    assert len(set(hashes)) == 1


def dying_at(number: int) -> Callable[[], None]:
    numbers = count(1)

    def die() -> None:
        if next(numbers) == number:
            raise WorkerKilledError

    return die


def test_the_next_search_may_go_back_to_images_as_they_are(ledger: Database, photos: Path):
    train(ledger, ColourWorker(ledger), photos, "colours", num_epochs=5, tunes=True, augment=Augment.LIGHT)
    assert [trial["augment"] for trial in record(ledger, 1).trials] == [Augment.LIGHT] * 4 + [Augment.NONE]


def test_a_report_lists_what_was_tried_and_says_what_was_taken(ledger: Database, photos: Path, tmp_path: Path):
    train(ledger, ColourWorker(ledger), photos, "colours", num_epochs=5, tunes=True)
    write_report(ledger, settings_for_submitting(), "colours@1", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    best = min(record(ledger, 1).trials, key=lambda trial: trial["val_loss"])
    (taken,) = [line for line in page.splitlines() if ">taken<" in line]
    assert f"<td>{best['num_epochs']}</td>" in taken
    assert f"<td>{best['val_loss']:.4f}</td>" in taken
    assert all(f"<td>{trial['val_loss']:.4f}</td>" in page for trial in record(ledger, 1).trials)


def test_epochs_do_not_grow_without_end(ledger: Database, photos: Path):
    train(ledger, ColourWorker(ledger), photos, "colours", num_epochs=MAX_NUM_EPOCHS, tunes=True)
    assert {trial["num_epochs"] for trial in record(ledger, 1).trials} == {MAX_NUM_EPOCHS}


def test_networks_are_not_tuned(ledger: Database, photos: Path):
    options = TrainOptions(backbone=BACKBONE, classes=(), mode=TrainMode.FINETUNE, tunes=True)
    with pytest.raises(UsageError, match="--tune is for --mode head"):
        submit_training(ledger, settings_for_submitting(), TrainRequest(DatasetRequest(str(photos)), "x", options))
    shutil.rmtree(photos)
