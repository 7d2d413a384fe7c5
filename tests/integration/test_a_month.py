"""A month of scheduled retraining, lived in seconds by a clock of its own; two schedulers run all the time.

The pictures are patches of colour. At first the model knows neither magenta, which is to be called red, nor cyan, which
is green. Labels for magenta make it better. Then someone calls purple red, which is blue, and that costs one class.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from colours import ColourWorker, paint, say, settings_for_submitting, train

from db.database import Database
from db.promotions import champion_of, roll_back
from db.schedules import get_schedule
from orchestrator.scheduling.history import HistoryEntry, history_of
from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
from orchestrator.scheduling.ticking import tick

COLOURS = {
    "red": (200, 40, 40),
    "magenta": (170, 40, 220),
    "green": (40, 200, 40),
    "cyan": (40, 170, 220),
    "blue": (40, 40, 200),
    "purple": (100, 40, 200),
}
BEGIN, END = datetime(2027, 3, 1, 12, tzinfo=UTC), datetime(2027, 4, 5, tzinfo=UTC)
STEP = timedelta(hours=6)


class Month:
    """The pictures, the model, and what happens to them.

    Args:
        ledger: the database.
        folder: where pictures are painted.
    """

    def __init__(self, ledger: Database, folder: Path) -> None:
        self.ledger, self.folder, self.worker = ledger, folder, ColourWorker(ledger)
        self.settings = settings_for_submitting()
        self.now = BEGIN
        self.others = Database(ledger.url.render_as_string(hide_password=False))
        for label, colour, number in (("red", "red", 10), ("green", "green", 10), ("blue", "blue", 10)):
            self.paint(colour, number, into=f"photos/train/{label}", seed=1)
        for label, colour, number in (
            ("red", "red", 10),
            ("red", "magenta", 10),
            ("green", "green", 10),
            ("green", "cyan", 10),
            ("blue", "blue", 18),
            ("blue", "purple", 2),
        ):
            self.paint(colour, number, into=f"photos/val/{label}", seed=2)
        # Every epoch is run, so that what is learned does not hang on when it stopped.
        train(ledger, self.worker, folder / "photos", "colours", num_epochs=200, patience=0)

    def paint(self, colour: str, number: int, *, into: str, seed: int) -> list[Path]:
        """Patches of about this colour; the same ones for the same seed."""
        place = 1000 * list(COLOURS).index(colour) + 100_000 * seed
        rng = np.random.default_rng(place)
        return [
            paint(
                self.folder / into / f"{colour}-{one}.png",
                rng.normal(COLOURS[colour], 8).clip(5, 250),
                seed=place + one,
            )
            for one in range(number)
        ]

    def say(self, pictures: Sequence[Path], label: str) -> None:
        say(self.ledger, pictures, label, at_s=self.now.timestamp())

    def tick_twice_at_once(self) -> int:
        """Two schedulers tick in the same moment; returns how many runs are on their way."""
        start = Barrier(2)

        def run(database: Database) -> int:
            start.wait()
            return tick(database, self.settings, at_s=self.now.timestamp()).num_unfinished

        with ThreadPoolExecutor(2) as pool:
            return max(pool.map(run, [self.ledger, self.others]))

    def live_until(self, day: datetime) -> None:
        while self.now < day:
            self.now += STEP
            while self.tick_twice_at_once():
                self.worker.work()

    def history(self) -> list[HistoryEntry]:
        with self.ledger.read() as session:
            return history_of(session, get_schedule(session, "sundays"))

    def champion(self) -> str:
        with self.ledger.read() as session:
            champion = champion_of(session, "colours")
            assert champion is not None
            return champion.label


@pytest.fixture
def month(ledger: Database, tmp_path: Path) -> Iterator[Month]:
    month = Month(ledger, tmp_path)
    yield month
    month.others.close()


def day(number: int, month: int = 3) -> datetime:
    return datetime(2027, month, number, 12, tzinfo=UTC)


def test_a_month_of_labels_schedules_challengers_and_a_rollback(month: Month):
    # Clocks in Berlin go forward on 28 March, from 02:00 to 03:00, so that half past two is not there that day.
    request = ScheduleRequest("sundays", "colours", "30 2 * * SUN", time_zone="Europe/Berlin")
    make_schedule(month.ledger, month.settings, request, at_s=BEGIN.timestamp())
    month.live_until(day(9))

    month.say(month.paint("magenta", 10, into="new", seed=3), "red")
    month.live_until(day(16))
    assert month.champion() == "colours@2"

    purple = month.paint("purple", 20, into="new", seed=3)
    month.say(purple, "red")
    month.say(month.paint("cyan", 20, into="new", seed=3), "green")
    month.live_until(day(23))
    assert month.champion() == "colours@2"

    month.say(purple, "blue")
    month.live_until(day(30))
    assert month.champion() == "colours@4"

    with month.ledger.write() as session:
        roll_back(session, "colours", at_s=month.now.timestamp())
    month.live_until(END)
    assert month.champion() == "colours@2"

    entries = month.history()
    assert [
        (datetime.fromtimestamp(entry.at, UTC).strftime("%m-%d %H:%M"), entry.outcome, entry.challenger, entry.champion)
        for entry in entries
    ] == [
        ("03-07 01:30", "skipped", None, "colours@1"),
        ("03-14 01:30", "promoted", "colours@2", "colours@1"),
        ("03-21 01:30", "refused", "colours@3", "colours@2"),
        ("03-28 01:00", "promoted", "colours@4", "colours@2"),
        ("03-30 12:00", "rolled back", "colours@4", None),
        ("04-04 00:30", "skipped", None, "colours@2"),
    ]
    unchanged, won, lost, corrected, _, again = entries
    assert unchanged.reason == "Dataset 1 is unchanged; it has been learned from."
    assert again.reason == "Dataset 4 is unchanged; it has been learned from."
    assert (won.dataset, lost.dataset, corrected.dataset) == (2, 3, 4)
    assert "blue" in str(lost.reason)
    assert "red" not in str(lost.reason)
    assert "green" not in str(lost.reason)
    verdict = lost.verdict
    assert verdict is not None
    assert verdict["challenger"]["macro_f1"] > verdict["champion"]["macro_f1"]
    falls = {
        name: verdict["champion"]["recall"][name] - verdict["challenger"]["recall"][name]
        for name in COLOURS
        if name in verdict["champion"]["recall"]
    }
    assert [name for name, fall in falls.items() if fall > 0.02] == ["blue"]
    # Of the images that were there before nothing was computed again.
    num_pictures = len(list(month.folder.rglob("*.png")))
    assert month.worker.engine.num_images == num_pictures
