"""What schedulers make of fire times: missed ones, failed jobs, champions that change meanwhile."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from colours import RED, ColourWorker, paint, paint_red_and_green, settings_for_submitting, train
from pydantic import SecretStr

from core.errors import UnknownScheduleError, UsageError
from core.items import FileLocator, locator_to_text
from core.types import AnnotationOrigin, CatchUp, Channel, Event, RunState, RunTrigger, Split
from db.annotations import Annotation, add_annotations
from db.database import Database
from db.ledger import control
from db.models import find_model
from db.notifications import list_notifications
from db.promotions import champion_of, promote
from db.results import class_labels
from db.schedules import NewRun, add_run, enable, get_schedule, remove_schedule, runs_of
from orchestrator.scheduling.facts import count_new_labels
from orchestrator.scheduling.history import history_of, summarise_schedule
from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
from orchestrator.scheduling.ticking import tick
from orchestrator.training import DatasetRequest

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
        said = Annotation(
            hashlib.sha256(path.read_bytes()).hexdigest(),
            label,
            "ada",
            AnnotationOrigin.ADDED,
            path.name,
            locator_to_text(FileLocator(str(path))),
            self.now_s,
            split=split,
        )
        with self.ledger.write() as session:
            add_annotations(session, "colours", [said])

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


@pytest.fixture
def world(ledger: Database, tmp_path: Path) -> World:
    return World(ledger, tmp_path)


@pytest.mark.parametrize(
    ("catch_up", "states"),
    [
        (CatchUp.LATEST, [RunState.MISSED, RunState.MISSED, RunState.SKIPPED]),
        (CatchUp.ALL, [RunState.SKIPPED, RunState.SKIPPED, RunState.SKIPPED]),
        (CatchUp.NONE, [RunState.MISSED, RunState.MISSED, RunState.MISSED]),
    ],
)
def test_a_scheduler_that_was_away_catches_up_as_asked(world: World, catch_up: CatchUp, states: Sequence[RunState]):
    world.schedule(ScheduleRequest("nightly", "colours", "0 3 * * *", catch_up=catch_up))
    world.tick_to_the_end(days=3)
    assert world.states() == states
    world.tick_to_the_end()
    assert world.states() == states


def test_a_fire_time_of_a_disabled_schedule_is_passed_over(world: World):
    world.schedule()
    with world.ledger.write() as session:
        assert enable(session, "nightly", is_enabled=False, at_s=world.now_s)
        assert not enable(session, "nightly", is_enabled=False, at_s=world.now_s)
    world.tick_to_the_end(days=2)
    with world.ledger.write() as session:
        assert enable(session, "nightly", is_enabled=True, at_s=world.now_s)
    world.tick_to_the_end(days=0.1)
    assert world.states() == []
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.SKIPPED]


def test_a_condition_that_does_not_hold_trains_nothing_and_says_what_it_saw(world: World):
    world.schedule(ScheduleRequest("nightly", "colours", "0 3 * * *", condition="new_labels>=2"))
    world.say_something_new()
    world.tick_to_the_end(days=1)
    world.say_something_new(seed=901)
    world.tick_to_the_end(days=1)
    first, second = world.states()
    assert first is RunState.SKIPPED
    assert second in (RunState.PROMOTED, RunState.REFUSED)
    assert "new_labels" in str(world.reasons()[0])
    with world.ledger.read() as session:
        entries = history_of(session, get_schedule(session, "nightly"))
    assert [dict(entry.facts or {})["new_labels"] for entry in entries] == [1, 2]


def test_labels_count_as_new_until_a_model_has_learned_from_them(world: World):
    world.schedule()
    world.say_something_new()
    world.say(world.folder / "photos" / "train" / "red" / "1.png", "red")
    with world.ledger.write() as session:
        assert count_new_labels(session, "colours") == 1
    world.tick_to_the_end(days=1)
    with world.ledger.write() as session:
        assert count_new_labels(session, "colours") == 0


def test_a_folder_is_looked_at_anew_each_time(world: World):
    photos = world.folder / "photos" / "train"
    world.schedule(ScheduleRequest("nightly", "colours", "0 3 * * *", dataset=DatasetRequest(str(photos))))
    world.tick_to_the_end(days=1)
    paint(photos / "red" / "more.png", RED, seed=950)
    world.tick_to_the_end(days=1)
    first, second = world.states()
    assert first is RunState.SKIPPED
    assert second in (RunState.PROMOTED, RunState.REFUSED)


def test_a_folder_that_is_gone_fails_the_run_and_not_the_scheduler(world: World):
    photos = world.folder / "photos" / "train"
    world.schedule(ScheduleRequest("nightly", "colours", "0 3 * * *", dataset=DatasetRequest(str(photos))))
    photos.rename(world.folder / "elsewhere")
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.FAILED]
    assert "does not exist" in str(world.reasons()[0])


def test_a_new_class_waits_until_there_are_images_to_learn_from_and_stops_nothing(world: World):
    world.schedule()
    world.say(paint(world.folder / "blue.png", (40, 40, 200), seed=960), "blue")
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.SKIPPED]
    world.say_something_new()
    world.tick_to_the_end(days=1)
    assert world.states()[1] in (RunState.PROMOTED, RunState.REFUSED)
    world.say(paint(world.folder / "bluer.png", (40, 40, 220), seed=961), "blue")
    world.tick_to_the_end(days=1)
    with world.ledger.read() as session:
        classes = [sorted(label.label for label in class_labels(session, number).values()) for number in (2, 3)]
    assert classes == [["green", "red"], ["blue", "green", "red"]]


def test_a_run_whose_job_is_cancelled_has_failed(world: World):
    world.schedule()
    world.say_something_new()
    world.tick(days=1)
    assert world.states() == [RunState.TRAINING]
    with world.ledger.write() as session:
        control.cancel(session, world.job_of_last_run())
    world.tick()
    assert world.states() == [RunState.FAILED]
    world.tick_to_the_end(days=1)
    assert world.states()[-1] in (RunState.PROMOTED, RunState.REFUSED), "what was not learned is learned next time"


def test_two_runs_of_a_model_follow_each_other(world: World):
    world.schedule()
    world.say_something_new()
    world.tick(days=1)
    world.tick(days=1)
    assert world.states() == [RunState.TRAINING, RunState.STARTED]
    world.tick_to_the_end()
    assert world.states()[1] is RunState.SKIPPED


def test_a_champion_that_changes_while_it_is_compared_is_compared_anew(world: World):
    train(world.ledger, world.worker, world.folder / "photos", "colours", num_epochs=2)
    world.schedule()
    world.say_something_new()
    world.tick(days=1)
    world.worker.work()
    world.tick()
    assert world.states() == [RunState.COMPARING]
    with world.ledger.write() as session:
        promote(session, find_model(session, "colours", 2))
    first_job = world.job_of_last_run()
    world.worker.work()
    world.tick()
    assert world.states() == [RunState.COMPARING]
    assert world.job_of_last_run() != first_job
    world.tick_to_the_end()
    with world.ledger.read() as session:
        (entry,) = history_of(session, get_schedule(session, "nightly"))
    assert (entry.champion, entry.challenger) == ("colours@2", "colours@3")


def test_equal_versions_are_a_tie_which_keeps_the_champion(world: World):
    world.schedule()
    world.say_something_new()
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.REFUSED]
    assert "tie" in str(world.reasons()[0])
    with world.ledger.read() as session:
        assert champion_of(session, "colours").label == "colours@1"


@pytest.mark.parametrize(
    ("shows_more", "event"), [(False, Event.CHALLENGER_REFUSED), (True, Event.CHALLENGER_PROMOTED)]
)
def test_a_decision_is_written_to_the_outbox_once_for_each_channel(world: World, shows_more: bool, event: Event):
    world.settings = world.settings.model_copy(
        update={
            "webhook_url": SecretStr("http://127.0.0.1:1/hook"),
            "smtp_url": SecretStr("smtp://127.0.0.1:1"),
            "mail_to": ["ada@example.org"],
        }
    )
    world.schedule(ScheduleRequest("nightly", "colours", "0 3 * * *", promotion_rule="accuracy>=champion"))
    world.say_something_new()
    # Of a colour that the champion takes for green.
    for seed in range(14 if shows_more else 0):
        path = paint(world.folder / "new" / f"cyan{seed}.png", (40, 200, 200), seed=seed)
        world.say(path, "red", split=Split.TEST if seed < 4 else None)
    world.tick_to_the_end(days=1)
    with world.ledger.read() as session:
        rows = list_notifications(session, limit=10)
    assert sorted((row.event, row.channel) for row in rows) == [(event, Channel.EMAIL), (event, Channel.WEBHOOK)]
    told = rows[0].payload
    assert (told["schedule"], told["champion"], told["challenger"]) == ("nightly", "colours@1", "colours@2")
    assert told["accuracy"]["lower"] <= told["accuracy"]["upper"]
    assert (told["rule"], told["reason"]) == ("accuracy>=champion", world.reasons()[0])


def test_a_manual_run_is_one_like_any_other(world: World):
    world.schedule()
    world.say_something_new()
    with world.ledger.write() as session:
        schedule = get_schedule(session, "nightly")
        add_run(session, schedule.id, NewRun(world.now_s, trigger=RunTrigger.MANUAL), at_s=world.now_s)
    world.tick_to_the_end()
    with world.ledger.read() as session:
        (entry,) = history_of(session, get_schedule(session, "nightly"))
    assert (entry.trigger, entry.outcome) == ("manual", "refused")


def test_a_removed_schedule_is_gone_with_its_history_and_an_unknown_one_says_which_there_are(world: World):
    world.schedule()
    world.say_something_new()
    world.tick(days=1)
    with world.ledger.write() as session, pytest.raises(UsageError, match="A run of 'nightly' is training"):
        remove_schedule(session, "nightly")
    world.tick_to_the_end()
    with world.ledger.read() as session, pytest.raises(UnknownScheduleError, match="There are: nightly"):
        get_schedule(session, "weekly")
    with world.ledger.write() as session:
        remove_schedule(session, "nightly")
    with world.ledger.read() as session, pytest.raises(UnknownScheduleError, match="There are none yet"):
        get_schedule(session, "nightly")


def test_a_schedule_of_a_model_that_was_never_trained_is_refused(world: World):
    with pytest.raises(UsageError, match=r"No model called 'parts' was trained here\. There are: colours"):
        world.schedule(ScheduleRequest("nightly", "parts", "0 3 * * *"))


def test_two_schedules_of_one_name_are_refused(world: World):
    world.schedule()
    with pytest.raises(UsageError, match="There is a schedule 'nightly' already"):
        world.schedule()


def test_a_schedule_says_when_it_fires_next_and_what_became_of_it(world: World):
    world.schedule()
    world.tick_to_the_end(days=1)
    with world.ledger.read() as session:
        summary = summarise_schedule(session, get_schedule(session, "nightly"), at_s=world.now_s)
    assert datetime.fromtimestamp(summary.next_at or 0, UTC) == datetime(2027, 3, 3, 3, tzinfo=UTC)
    assert summary.last_state == "skipped"


def test_a_challenger_whose_comparison_was_cancelled_is_compared_next_time(world: World):
    world.schedule()
    world.say_something_new()
    world.tick(days=1)
    world.worker.work()
    world.tick()
    assert world.states() == [RunState.COMPARING]
    with world.ledger.write() as session:
        control.cancel(session, world.job_of_last_run())
    world.tick()
    assert world.states() == [RunState.FAILED]
    world.tick_to_the_end(days=1)
    assert world.states()[1] in (RunState.PROMOTED, RunState.REFUSED)
    with world.ledger.read() as session:
        entries = history_of(session, get_schedule(session, "nightly"))
    assert entries[1].challenger == "colours@2", "it is not trained again"
    world.tick_to_the_end(days=1)
    assert world.states()[2] is RunState.SKIPPED


def test_a_schedule_that_cannot_be_read_stops_no_other(world: World):
    world.schedule()
    make_schedule(world.ledger, world.settings, ScheduleRequest("another", "colours", "0 4 * * *"), at_s=world.now_s)
    with world.ledger.write() as session:
        get_schedule(session, "another").time_zone = "Old/Zone"
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.SKIPPED]
