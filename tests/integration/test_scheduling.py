"""What schedulers make of fire times: missed ones, conditions, folders, schedules that go."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from colours import RED, paint
from schedule_steps import World

from core.errors import UnknownScheduleError, UsageError
from core.types import CatchUp, RunState
from db.database import Database
from db.schedules import enable, get_schedule, only_schedule, remove_schedule
from orchestrator.scheduling.facts import count_new_labels
from orchestrator.scheduling.history import history_of, summarise_schedule
from orchestrator.scheduling.schedules import ScheduleRequest, make_schedule
from orchestrator.training import DatasetRequest


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


def test_a_schedule_that_cannot_be_read_stops_no_other(world: World):
    world.schedule()
    make_schedule(world.ledger, world.settings, ScheduleRequest("another", "colours", "0 4 * * *"), at_s=world.now_s)
    with world.ledger.write() as session:
        get_schedule(session, "another").time_zone = "Old/Zone"
    world.tick_to_the_end(days=1)
    assert world.states() == [RunState.SKIPPED]


def test_the_only_schedule_need_not_be_named_and_of_several_one_has_to_be(world: World):
    with world.ledger.read() as session, pytest.raises(UnknownScheduleError, match="no schedules yet"):
        only_schedule(session)
    world.schedule()
    with world.ledger.read() as session:
        assert only_schedule(session).name == "nightly"
    world.schedule(ScheduleRequest("weekly", "colours", "0 3 * * 0"))
    with world.ledger.read() as session, pytest.raises(UsageError, match=r"2 schedules\. Name one of: nightly, weekly"):
        only_schedule(session)
