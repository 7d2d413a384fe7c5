"""Steps that tests of schedules are made of: say what pictures show, let time go by, look what became of it."""

from datetime import UTC, datetime
from pathlib import Path

from colours import RED, ColourWorker, paint, paint_red_and_green, say, settings_for_submitting, train

from core.types import RunState, Split
from db.database import Database
from db.schedules import get_schedule, runs_of
from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
from orchestrator.scheduling.ticking import tick

DAY_S = 86_400.0
# A Monday at noon.
BEGIN_S = datetime(2027, 3, 1, 12, tzinfo=UTC).timestamp()
NIGHTLY = ScheduleRequest("nightly", "colours", "0 3 * * *")


class World:
    """A model of two colours, a schedule, and a clock that is set by hand."""

    def __init__(self, ledger: Database, folder: Path) -> None:
        self.ledger, self.folder, self.worker = ledger, folder, ColourWorker(ledger)
        self.settings = settings_for_submitting()
        self.now_s = BEGIN_S
        paint_red_and_green(folder / "photos", num_train=6, num_val=4)
        train(ledger, self.worker, folder / "photos", "colours")

    def schedule(self, request: ScheduleRequest = NIGHTLY) -> None:
        make_schedule(self.ledger, self.settings, request, at_s=self.now_s)

    def say(self, path: Path, label: str, *, split: Split | None = None) -> None:
        say(self.ledger, [path], label, at_s=self.now_s, split=split)

    def say_something_new(self, *, seed: int = 900) -> None:
        self.say(paint(self.folder / "new" / f"{seed}.png", RED, seed=seed), "red")

    def tick(self, *, days: float = 0.0) -> None:
        self.now_s += days * DAY_S
        tick(self.ledger, self.settings, at_s=self.now_s)

    def tick_to_the_end(self, *, days: float = 0.0) -> None:
        self.tick(days=days)
        for _ in range(4):
            self.worker.work()
            self.tick()

    def tick_to_comparison(self) -> None:
        """Say something new, and train and start to compare with it the next day."""
        self.say_something_new()
        self.tick(days=1)
        self.worker.work()
        self.tick()

    def states(self) -> list[RunState]:
        with self.ledger.read() as session:
            return [run.state for run in runs_of(session, get_schedule(session, "nightly").id)]

    def reasons(self) -> list[str | None]:
        with self.ledger.read() as session:
            return [run.reason for run in runs_of(session, get_schedule(session, "nightly").id)]

    def job_of_last_run(self) -> int:
        with self.ledger.read() as session:
            (*_, run) = runs_of(session, get_schedule(session, "nightly").id)
            job_id = run.compare_job_id or run.train_job_id
            assert job_id is not None
            return job_id
