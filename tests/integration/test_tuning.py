"""`--tune`: a handful of settings, the best by the validation images, and the same ones whenever it is done again."""

import shutil
from pathlib import Path

import pytest
from colours import BACKBONE, ColourWorker, paint, settings_for_submitting, train

from core.errors import UsageError
from core.training import TrainingRecord, TrainOptions
from core.types import TrainMode
from db.database import Database
from db.ledger.control import get_job
from db.models import find_model
from orchestrator.training import DatasetRequest, TrainRequest, submit_training
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


def test_epochs_do_not_grow_without_end(ledger: Database, photos: Path):
    train(ledger, ColourWorker(ledger), photos, "colours", num_epochs=MAX_NUM_EPOCHS, tunes=True)
    assert {trial["num_epochs"] for trial in record(ledger, 1).trials} == {MAX_NUM_EPOCHS}


def test_networks_are_not_tuned(ledger: Database, photos: Path):
    options = TrainOptions(backbone=BACKBONE, classes=(), mode=TrainMode.FINETUNE, tunes=True)
    with pytest.raises(UsageError, match="--tune is for --mode head"):
        submit_training(ledger, settings_for_submitting(), TrainRequest(DatasetRequest(str(photos)), "x", options))
    shutil.rmtree(photos)
