"""A model of two colours, and pictures that it has never seen."""

from pathlib import Path

import pytest
from colours import RED, ColourWorker, paint, paint_red_and_green, train

from db.database import Database


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    paint_red_and_green(tmp_path / "photos", num_train=4, num_val=3)
    worker = ColourWorker(ledger)
    train(ledger, worker, tmp_path / "photos", "colours")
    return worker


@pytest.fixture
def pictures(worker: ColourWorker, tmp_path: Path) -> list[Path]:
    del worker
    return [paint(tmp_path / "new" / f"{one}.png", RED, seed=800 + one) for one in range(4)]
