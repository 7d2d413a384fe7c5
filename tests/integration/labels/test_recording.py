"""Labels are taken in whole or not at all, and what one person says after another counts."""

import json
from pathlib import Path

import pytest
from colours import GREEN, RED, paint, train
from label_steps import SETTINGS, num_labels, said, table, take

from core.errors import UnknownModelError, UsageError
from core.types import AnnotationOrigin, NewClasses
from orchestrator.labels.exporting import LabelExport, LabelFormat, export_labels
from orchestrator.labels.listing import list_labels
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.single import one_label

pytestmark = pytest.mark.usefixtures("pictures")


def test_a_table_beside_its_images_is_taken_in_and_again_changes_nothing(ledger, tmp_path):
    file = table(tmp_path / "new", "0.png,red", "1.png,green")
    assert take(ledger, file).num_added == 2
    assert said(ledger) == {"0.png": "red", "1.png": "green"}
    report = take(ledger, file)
    assert (report.num_added, report.num_known) == (0, 2)
    assert take(ledger, file, annotator="someone else").num_added == 2


def test_a_file_that_says_two_things_of_an_image_may_be_taken_in_again(ledger, tmp_path):
    file = table(tmp_path / "new", "1.png,red", "1.png,green")
    assert take(ledger, file).num_added == 2
    report = take(ledger, file)
    assert (report.num_added, report.num_known) == (0, 2)
    assert said(ledger) == {"1.png": "green"}


def test_an_old_file_taken_in_again_adds_nothing_to_what_was_corrected_since(ledger, tmp_path):
    take(ledger, table(tmp_path / "new", "2.png,red", "3.png,red"))
    out = tmp_path / "out.csv"
    export_labels(ledger, LabelExport(LabelFormat.CSV, out))
    take(ledger, table(tmp_path / "new", "2.png,green"))
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (0, 2)
    assert said(ledger) == {"2.png": "green", "3.png": "red"}


def test_class_folders_and_json_lines_are_taken_in(ledger, pictures, tmp_path):
    paint(tmp_path / "sorted" / "green" / "a.png", GREEN, seed=900)
    paint(tmp_path / "sorted" / "red" / "b.png", RED, seed=901)
    assert take(ledger, tmp_path / "sorted").num_added == 2
    lines = tmp_path / "labels.jsonl"
    lines.write_text(json.dumps({"image": str(pictures[0]), "label": "red"}) + "\n")
    assert take(ledger, lines).num_added == 1
    assert said(ledger) == {"a.png": "green", "b.png": "red", "0.png": "red"}


def test_one_bad_line_keeps_all_others_out_and_every_bad_line_is_named(ledger, tmp_path):
    (tmp_path / "new" / "empty.png").write_bytes(b"")
    file = table(tmp_path / "new", "0.png,red", "gone.png,red", "1.png,green", "empty.png,red", "also-gone.png,green")
    with pytest.raises(UsageError) as raised:
        take(ledger, file)
    message = str(raised.value)
    assert "3 of the labels cannot be taken, so none was" in message
    assert "Line 3" in message
    assert "gone.png was never seen: there is no such file" in message
    assert "Line 5" in message
    assert "Line 6" in message
    assert num_labels(ledger) == 0


def test_what_nothing_can_store_is_refused_and_every_line_of_it_is_named(ledger, tmp_path):
    columns = "image,label,annotator,created_at,sha256"
    rows = ["0.png,red,ada,0001-01-01T00:00:00+14:00,", "1.png,red,a\tb,,", "2.png,red,,,abc", "3.png,red,,,"]
    with pytest.raises(UsageError) as raised:
        take(ledger, table(tmp_path / "new", *rows, header=columns))
    for words in ("3 of the labels", "before 1970", "'a\\tb'", "64 digits"):
        assert words in str(raised.value)
    assert num_labels(ledger) == 0


def test_a_class_that_the_model_does_not_have_is_refused_added_skipped_or_asked_about(ledger, tmp_path):
    file = table(tmp_path / "new", "0.png,red", "1.png,rde", "2.png,blue")
    with pytest.raises(UsageError, match=r"no class 'blue', 'rde' \(did you mean 'red'\?\); it has 'green', 'red'"):
        take(ledger, file)
    assert num_labels(ledger) == 0
    report = take(ledger, file, new_classes=NewClasses.SKIP)
    assert (report.num_added, report.num_skipped, report.skipped_classes) == (1, 2, ["blue", "rde"])
    asked = []

    def ask(name, nearest, known):
        assert list(known) == ["green", "red"]
        asked.append((name, list(nearest)))
        return "red" if name == "rde" else None

    assert take(ledger, file, ask=ask).num_added == 1
    assert asked == [("blue", []), ("rde", ["red"])]
    report = take(ledger, file, new_classes=NewClasses.ADD)
    assert report.new_classes == ["blue", "rde"]
    assert said(ledger) == {"0.png": "red", "1.png": "rde", "2.png": "blue"}
    assert take(ledger, table(tmp_path / "new", "3.png,blue")).num_added == 1, "by now it is a class like any other"


def test_people_who_disagree_are_listed(ledger, tmp_path):
    take(ledger, table(tmp_path / "new", "0.png,red", "1.png,red"), annotator="ada")
    take(ledger, table(tmp_path / "new", "0.png,green", "1.png,red"), annotator="ben")
    with ledger.read() as session:
        found = list_labels(session, None, only_conflicts=True)
        assert [(Path(one.image).name, one.annotator, one.label, one.counts) for one in found] == [
            ("0.png", "ada", "red", False),
            ("0.png", "ben", "green", True),
        ]
        assert len(list_labels(session, "colours", image=found[0].image)) == 2
        with pytest.raises(UsageError, match="Nobody has said anything of"):
            list_labels(session, "colours", image="nothing.png")


def test_a_model_that_is_not_there_is_refused_and_without_a_name_there_must_be_one(ledger, worker, tmp_path):
    file = table(tmp_path / "new", "0.png,red")
    with pytest.raises(UnknownModelError, match="There are: colours"):
        take(ledger, file, model="parts")
    train(ledger, worker, tmp_path / "photos", "others")
    with pytest.raises(UsageError, match=r"Say --model NAME. There are: colours, others"):
        take(ledger, file)
    assert take(ledger, file, model="others@1").model == "others"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds the images"),
        ("picture,kind\n0.png,red\n", "Which column"),
        ("image,label\n", "holds no label"),
        ("image,label\n0.png,\n,red\n", "2 of the labels"),
        ('image,label\n"0.png,red\n', "of the labels cannot be taken"),
        ("image,label,split\n0.png,red,tset\n", "split is 'tset'"),
        ("image,label,created_at\n0.png,red,yesterday\n", "created_at is 'yesterday'"),
    ],
)
def test_a_table_of_the_wrong_form_is_refused(ledger, tmp_path, text, words):
    file = tmp_path / "new" / "labels.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        take(ledger, file)
    assert words in str(raised.value)
    assert num_labels(ledger) == 0


def test_bytes_that_are_no_table_are_refused(ledger, tmp_path):
    file = tmp_path / "new" / "labels.csv"
    file.write_bytes(bytes(range(256)) * 1000)
    with pytest.raises(UsageError):
        take(ledger, file)
    file.rename(file.with_suffix(".txt"))
    with pytest.raises(UsageError, match=r"holds no labels\. Expected a folder of class folders, a table"):
        take(ledger, file.with_suffix(".txt"))
    with pytest.raises(UsageError, match="does not exist"):
        take(ledger, file)


def test_who_says_it_again_by_hand_after_someone_else_is_heard(ledger, pictures):
    for who, label in (("ann", "red"), ("bob", "green"), ("ann", "red")):
        taking = Taking(annotator=who, origin=AnnotationOrigin.ADDED)
        record(ledger, SETTINGS, [one_label(str(pictures[0]), label, SETTINGS)], taking)
    assert said(ledger) == {"0.png": "red"}
    report = record(ledger, SETTINGS, [one_label(str(pictures[0]), "red", SETTINGS)], taking)
    assert (report.num_added, report.num_known) == (0, 1)


def test_a_table_that_is_not_utf_8_brings_no_class_that_nobody_can_read(ledger, tmp_path):
    file = tmp_path / "new" / "labels.csv"
    file.write_bytes("image,label\n0.png,hüt\n1.png,red\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"Line 2 of .*: the label 'h.udcfct' is not UTF-8"):
        take(ledger, file, new_classes=NewClasses.ADD)
    assert num_labels(ledger) == 0
    file.write_bytes("image,label\n0.png,hüt\n1.png,red\n".encode())
    assert take(ledger, file, new_classes=NewClasses.ADD).new_classes == ["hüt"]
