"""What becomes of runs: failed jobs, champions that change meanwhile, decisions and who is told of them."""

from pathlib import Path

import pytest
from colours import paint, train
from pydantic import SecretStr
from schedule_steps import World

from core.types import Channel, Event, RunState, RunTrigger, Split
from db.database import Database
from db.ledger import control
from db.models import find_model
from db.notifications import list_notifications
from db.promotions import champion_of, promote
from db.results import class_labels
from db.schedules import NewRun, add_run, get_schedule
from orchestrator.scheduling.history import history_of
from orchestrator.scheduling.schedules import ScheduleRequest
from orchestrator.training import DatasetRequest


@pytest.fixture
def world(ledger: Database, tmp_path: Path) -> World:
    return World(ledger, tmp_path)


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
    world.tick_to_comparison()
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


def test_a_challenger_whose_comparison_was_cancelled_is_compared_next_time(world: World):
    world.schedule()
    world.tick_to_comparison()
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
