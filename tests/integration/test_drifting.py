"""Drift, from the champion's latest jobs to a schedule that trains because of it, and to whoever is told."""

from pathlib import Path

import numpy as np
import pytest
from colours import BROKER_URL, ColourWorker, label, paint, say, train
from pydantic import SecretStr

from core.settings import Settings
from core.types import Event, RunState
from db.clock import read_now
from db.database import Database
from db.models import find_model
from db.notifications import list_notifications
from db.schedules import get_schedule, runs_of
from orchestrator.scheduling.drifting import drift_of
from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
from orchestrator.scheduling.ticking import tick

RED, GREEN = (190, 60, 60), (60, 190, 60)
DAY_S = 86_400.0
SETTINGS = Settings(broker_url=BROKER_URL, webhook_url=SecretStr("http://127.0.0.1:1/"))


def shades(folder: Path, *, seed: int, shift: float, number: int = 40) -> Path:
    """As many pictures of both colours, all of them bluer by so much."""
    rng = np.random.default_rng(seed)
    for name, colour in (("green", GREEN), ("red", RED)):
        for one in range(number):
            shade = (np.array(colour) + rng.normal(0, 20, 3) + (0, 0, shift)).clip(5, 250)
            paint(folder / name / f"{one}.png", shade, seed=10_000 * seed + one + 500 * (name == "red"))
    return folder


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    worker = ColourWorker(ledger)
    shades(tmp_path / "photos" / "train", seed=1, shift=0.0)
    shades(tmp_path / "photos" / "val", seed=2, shift=0.0)
    train(ledger, worker, tmp_path / "photos", "colours")
    return worker


def drift(ledger: Database) -> float | None:
    with ledger.write() as session:
        champion = find_model(session, "colours", 1)
        assert champion is not None
        return drift_of(session, champion).value


def test_images_like_those_that_were_learned_from_have_not_drifted(worker: ColourWorker, tmp_path: Path):
    label(worker, shades(tmp_path / "same", seed=3, shift=0.0))
    found = drift(worker.ledger)
    assert found is not None
    assert found < 0.2


def test_images_of_another_light_have_drifted(worker: ColourWorker, tmp_path: Path):
    label(worker, shades(tmp_path / "bluer", seed=4, shift=90.0))
    found = drift(worker.ledger)
    assert found is not None
    assert found > 0.5


def test_a_champion_that_has_labelled_nothing_says_nothing(worker: ColourWorker):
    assert drift(worker.ledger) is None


def test_drift_lets_a_schedule_train_and_people_know(worker: ColourWorker, tmp_path: Path):
    ledger = worker.ledger
    at_s = ledger.query(read_now)
    request = ScheduleRequest("nightly", "colours", "0 3 * * *", condition="drift>0.2")
    make_schedule(ledger, SETTINGS, request, at_s=at_s)
    label(worker, shades(tmp_path / "same", seed=3, shift=0.0))
    tick(ledger, SETTINGS, at_s=at_s + DAY_S)
    bluer = shades(tmp_path / "bluer", seed=4, shift=90.0, number=60)
    label(worker, bluer)
    for picture in sorted(bluer.glob("*/*.png"))[:10]:
        say(ledger, [picture], picture.parent.name, at_s=at_s)
    tick(ledger, SETTINGS, at_s=at_s + 2 * DAY_S)
    with ledger.read() as session:
        runs = runs_of(session, get_schedule(session, "nightly").id)
        told = [(row.event, row.payload["threshold"]) for row in list_notifications(session, limit=10)]
    assert [run.state for run in runs] == [RunState.SKIPPED, RunState.TRAINING]
    assert "drift is" in str(runs[0].reason)
    assert told == [(Event.DRIFT_FOUND, 0.2)]
