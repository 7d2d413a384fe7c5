"""What the next version of a dataset holds: what was learned from, what people say, what a folder has by now."""

from pathlib import Path

import pytest
from colours import GREEN, RED, ColourWorker, content, paint, paint_red_and_green, say, train

from core.errors import UsageError
from core.items import FileLocator, locator_to_text
from core.types import Split
from db.database import Database
from db.datasets import items_of
from db.models import find_model
from db.promotions import promote
from orchestrator.retraining.composing import compose, ensure_dataset
from orchestrator.retraining.learned import LabelledContent


def locator(path: Path) -> str:
    return locator_to_text(FileLocator(str(path)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures of each class to learn from, two to measure on."""
    paint_red_and_green(tmp_path / "photos", num_train=10, num_val=2)
    return tmp_path / "photos"


@pytest.fixture
def trained(ledger: Database, folder: Path) -> Path:
    train(ledger, ColourWorker(ledger), folder, "colours")
    return folder


def composed(ledger: Database, found: list[LabelledContent] | None = None) -> dict[str, tuple[str, Split]]:
    """The next version, written; class and split by content."""
    with ledger.write() as session:
        dataset = ensure_dataset(session, compose(session, "colours", found or [], at_s=5.0))
        return {item.sha256: (dataset.classes[item.class_index], item.split) for item in items_of(session, dataset.id)}


def test_what_the_first_training_was_measured_on_is_what_all_others_are(ledger, trained):
    items = composed(ledger)
    measured_on = {content(path) for path in trained.glob("val/*/*.png")}
    assert {sha256 for sha256, (_, split) in items.items() if split is Split.TEST} == measured_on
    assert sum(split is Split.VAL for _, split in items.values()) == 4
    assert len(items) == 24


def test_a_new_label_adds_an_image_and_a_correction_changes_one(ledger, trained, tmp_path):
    new, corrected = paint(tmp_path / "new.png", RED, seed=77), trained / "train" / "red" / "3.png"
    before = composed(ledger)
    say(ledger, [new], "red")
    say(ledger, [corrected], "green")
    after = composed(ledger)
    assert after.keys() - before.keys() == {content(new)}
    assert after[content(new)][0] == "red"
    assert (before[content(corrected)][0], after[content(corrected)][0]) == ("red", "green")


@pytest.mark.usefixtures("trained")
def test_the_same_labels_make_the_same_version(ledger, tmp_path):
    say(ledger, [paint(tmp_path / "new.png", RED, seed=77)], "red")
    with ledger.write() as session:
        first = ensure_dataset(session, compose(session, "colours", [], at_s=5.0))
        again = ensure_dataset(session, compose(session, "colours", [], at_s=6.0))
        assert (first.version, again.version) == (2, 2)


@pytest.mark.usefixtures("trained")
def test_the_test_part_grows_by_labels_that_ask_for_it_alone(ledger, tmp_path):
    asked, other = paint(tmp_path / "asked.png", RED, seed=78), paint(tmp_path / "other.png", RED, seed=79)
    say(ledger, [asked], "red", split=Split.TEST)
    say(ledger, [other], "red")
    items = composed(ledger)
    assert items[content(asked)] == ("red", Split.TEST)
    assert items[content(other)][1] is not Split.TEST


def test_what_was_learned_from_is_never_tested_on_whatever_a_label_asks_for(ledger, trained):
    learned = trained / "train" / "red" / "3.png"
    say(ledger, [learned], "red", split=Split.TEST)
    assert composed(ledger)[content(learned)][1] is not Split.TEST


def test_an_image_to_measure_on_stays_one_though_its_label_is_corrected(ledger, trained):
    measured_on = trained / "val" / "red" / "0.png"
    say(ledger, [measured_on], "green")
    assert composed(ledger)[content(measured_on)] == ("green", Split.TEST)


def test_a_label_counts_more_than_a_folder_and_a_folder_more_than_before(ledger, trained):
    first, second = trained / "train" / "red" / "1.png", trained / "train" / "red" / "2.png"
    say(ledger, [first], "red")
    found = [LabelledContent(content(path), "green", None, path.name, locator(path)) for path in (first, second)]
    items = composed(ledger, found)
    assert (items[content(first)][0], items[content(second)][0]) == ("red", "green")


@pytest.mark.usefixtures("trained")
def test_a_new_class_comes_behind_those_that_are_there(ledger, tmp_path):
    for seed in range(3):
        say(ledger, [paint(tmp_path / f"{seed}.png", (40, 40, 200), seed=seed)], "blue")
    with ledger.write() as session:
        assert compose(session, "colours", [], at_s=5.0).classes == ("green", "red", "blue")


@pytest.mark.usefixtures("trained")
def test_what_was_learned_by_hand_meanwhile_is_learned_from_again(ledger, tmp_path):
    composed(ledger)
    for name, colour in (("green", GREEN), ("red", RED)):
        for seed in range(5):
            paint(tmp_path / "others" / name / f"{seed}.png", colour, seed=900 + seed)
    worker = ColourWorker(ledger)
    train(ledger, worker, tmp_path / "others", "colours")
    with ledger.write() as session:
        promote(session, find_model(session, "colours", 2))
    assert {content(path) for path in (tmp_path / "others").glob("*/*.png")} <= composed(ledger).keys()


def test_a_name_that_was_never_trained_has_no_dataset(ledger):
    with ledger.write() as session, pytest.raises(UsageError, match="labelyard train DATASET --name colours"):
        compose(session, "colours", [], at_s=5.0)
