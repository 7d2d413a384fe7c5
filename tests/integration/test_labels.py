"""Labels are taken in whole or not at all, for images that are known, and go to other programs and back."""

import csv
import hashlib
import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from colours import GREEN, RED, ColourWorker, paint, paint_red_and_green, settings_for_submitting, train
from program import PROGRAM, Cli
from sqlalchemy import func, select

from core.errors import UnknownModelError, UsageError
from core.types import AnnotationOrigin, NewClasses, Split
from db.annotations import annotations_of, newest_annotations
from db.database import Database
from db.label_tables import AnnotationTable
from orchestrator.labels.exporting import LabelExport, LabelFormat, export_labels
from orchestrator.labels.listing import list_labels
from orchestrator.labels.reading import LabelFile
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.single import content_of, one_label
from orchestrator.labels.values import ImportReport
from orchestrator.planning import plan
from orchestrator.submitting import LabelRequest, submit
from workers.access import Access

SETTINGS = settings_for_submitting()

pytestmark = pytest.mark.usefixtures("pictures")


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


def take(ledger: Database, file: Path, **options: Any) -> ImportReport:
    return record(ledger, SETTINGS, LabelFile(str(file)).read(Access.of(SETTINGS)), Taking(**options))


def table(folder: Path, *rows: str, header: str = "image,label") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def num_labels(ledger: Database) -> int:
    with ledger.read() as session:
        return session.scalars(select(func.count()).select_from(AnnotationTable)).one()


def said(ledger: Database) -> dict[str, str]:
    with ledger.read() as session:
        return {Path(one.name).name: one.label for one in newest_annotations(session, "colours").values()}


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


def test_images_outside_of_what_may_be_read_are_never_seen(ledger, tmp_path):
    inside = paint(tmp_path / "inside" / "a.png", RED, seed=900)
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "new" / "0.png")
    settings = SETTINGS.model_copy(update={"source_roots": (str(tmp_path / "inside"),)})
    for name in ("../new/0.png", "link.png"):
        with pytest.raises(UsageError, match="outside of what may be read here"):
            record(ledger, settings, [one_label(str(inside.parent / name), "red", settings)], Taking())
    assert num_labels(ledger) == 0
    assert record(ledger, settings, [one_label(str(inside), "red", settings)], Taking()).num_added == 1


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


def test_an_image_that_only_a_job_has_is_known_by_its_name(ledger, worker, pictures):
    job_id = submit(ledger, SETTINGS, LabelRequest([str(pictures[0].parent)], ["colours"])).job_id
    plan(ledger, job_id, Access.of(SETTINGS))
    worker.work()
    content = hashlib.sha256(pictures[0].read_bytes()).hexdigest()
    pictures[0].unlink()
    record(ledger, SETTINGS, [one_label(str(pictures[0]), "green", SETTINGS)], Taking())
    with ledger.read() as session:
        (found,) = annotations_of(session, "colours")
    assert (found.sha256, found.label) == (content, "green")


def test_what_was_learned_from_cannot_be_measured_on(ledger, pictures, tmp_path):
    learned = tmp_path / "photos" / "train" / "red" / "1.png"
    with pytest.raises(UsageError, match="was learned from, so nothing can be measured on it"):
        record(ledger, SETTINGS, [one_label(str(learned), "red", SETTINGS)], Taking(split=Split.TEST))
    assert num_labels(ledger) == 0
    record(ledger, SETTINGS, [one_label(str(pictures[0]), "red", SETTINGS)], Taking(split=Split.TEST))
    with ledger.read() as session:
        assert annotations_of(session, "colours")[0].split is Split.TEST


def test_the_csv_export_names_who_said_what_when_and_is_taken_in_again(ledger, tmp_path):
    take(ledger, table(tmp_path / "new", "0.png,red", "1.png,green"), annotator="ada")
    take(ledger, table(tmp_path / "new", "0.png,green"), annotator="ben")
    out = tmp_path / "out.csv"
    assert export_labels(ledger, LabelExport(LabelFormat.CSV, out)) == 3
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert sorted((Path(row["image"]).name, row["label"], row["annotator"]) for row in rows) == [
        ("0.png", "green", "ben"),
        ("0.png", "red", "ada"),
        ("1.png", "green", "ada"),
    ]
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (0, 3)


@pytest.mark.parametrize("format_", [LabelFormat.CSV, LabelFormat.LABEL_STUDIO])
def test_a_class_that_no_text_file_holds_as_it_is_comes_back(ledger, tmp_path, format_):
    name = "a\\b\udce9"
    given = one_label(str(tmp_path / "new" / "0.png"), name, SETTINGS)
    record(ledger, SETTINGS, [given], Taking(new_classes=NewClasses.ADD))
    out = tmp_path / f"out{format_.ending}"
    export_labels(ledger, LabelExport(format_, out))
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (0, 1)


def test_label_studio_gets_labels_and_predictions_and_gives_them_back(ledger, worker, pictures, tmp_path):
    job_id = submit(ledger, SETTINGS, LabelRequest([str(pictures[0].parent)], ["colours"])).job_id
    plan(ledger, job_id, Access.of(SETTINGS))
    worker.work()
    take(ledger, table(tmp_path / "new", "0.png,red", "1.png,green"), annotator="ada@example.org")
    take(ledger, table(tmp_path / "new", "1.png,red"), annotator="ben@example.org")
    out, config = tmp_path / "tasks.json", tmp_path / "page.xml"
    request = LabelExport(LabelFormat.LABEL_STUDIO, out, job_id=job_id, config=config)
    assert export_labels(ledger, request) == 4
    tasks = json.loads(out.read_text())
    require_task_format(tasks)
    assert [len(task["annotations"]) for task in tasks] == [1, 2, 0, 0]
    assert all(task["predictions"][0]["model_version"] == "colours@1" for task in tasks)
    assert '<Choice value="green"/>' in config.read_text()
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (0, 3)
    # As if someone had annotated the other two there, and the files had gone since.
    for task in tasks[2:]:
        task["annotations"] = [
            {"result": task["predictions"][0]["result"], "completed_by": {"email": "ada@example.org"}}
        ]
    for picture in pictures:
        picture.unlink()
    out.write_text(json.dumps(tasks))
    assert take(ledger, out).num_added == 2


def require_task_format(tasks: list[dict[str, Any]]) -> None:
    """What Label Studio says of a task.

    Source: https://labelstud.io/guide/task_format.html and https://labelstud.io/guide/predictions.html
    """
    for task in tasks:
        assert isinstance(task["data"], dict)
        assert isinstance(task["data"]["image"], str)
        for result in [one for part in (*task["annotations"], *task["predictions"]) for one in part["result"]]:
            assert result["type"] == "choices"
            assert isinstance(result["from_name"], str)
            assert isinstance(result["to_name"], str)
            assert all(isinstance(choice, str) for choice in result["value"]["choices"])
        for annotation in task["annotations"]:
            assert isinstance(annotation["was_cancelled"], bool)
            # It refuses files that name anyone whom it does not know.
            assert "completed_by" not in annotation
        for prediction in task["predictions"]:
            assert 0.0 <= prediction["score"] <= 1.0
            assert isinstance(prediction["model_version"], str)


def test_what_label_studio_gives_back_is_said_by_those_who_said_it(ledger, tmp_path):
    take(ledger, table(tmp_path / "new", "0.png,red", "1.png,red"), annotator="ada")
    take(ledger, table(tmp_path / "new", "0.png,green"), annotator="ben")
    out = tmp_path / "tasks.json"
    export_labels(ledger, LabelExport(LabelFormat.LABEL_STUDIO, out))
    tasks = json.loads(out.read_text())
    for task in tasks:
        for annotation in task["annotations"]:
            # As it says of all that somebody has imported there.
            annotation |= {"completed_by": {"id": 1, "email": "eve@example.org"}, "updated_at": "2026-11-20T10:00:00Z"}
    out.write_text(json.dumps(tasks))
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (0, 3)
    # Eve changes what Ada said of the other image.
    (changed,) = tasks[1]["annotations"]
    changed["result"][0]["value"] = {"choices": ["green"]}
    out.write_text(json.dumps(tasks))
    report = take(ledger, out)
    assert (report.num_added, report.num_known) == (1, 2)
    with ledger.read() as session:
        everything = annotations_of(session, "colours")
    assert [one.label for one in everything if one.annotator == "eve@example.org"] == ["green"]


def test_a_hash_that_nothing_here_knows_is_not_believed(ledger, pictures, tmp_path):
    file = tmp_path / "tasks.json"
    result = [{"from_name": "a", "to_name": "b", "type": "choices", "value": {"choices": ["red"]}}]
    task = {
        "data": {"image": "/data/upload/1/x.jpg"},
        "meta": {"sha256": "f" * 64},
        "annotations": [{"result": result}],
    }
    file.write_text(json.dumps([task]))
    with pytest.raises(UsageError, match="was never seen"):
        take(ledger, file)
    # Nor one that is not that of the file.
    file.write_text(json.dumps([task | {"data": {"image": str(pictures[0])}}]))
    with pytest.raises(UsageError, match="the file holds another image by now"):
        take(ledger, file)
    assert num_labels(ledger) == 0


def test_an_image_that_was_learned_from_is_known_by_its_hash_before_there_is_a_dataset(ledger, tmp_path):
    learned = tmp_path / "photos" / "train" / "red" / "1.png"
    content = hashlib.sha256(learned.read_bytes()).hexdigest()
    learned.unlink()
    report = take(ledger, table(tmp_path / "new", f"gone.png,green,{content}", header="image,label,sha256"))
    assert report.num_added == 1
    with ledger.read() as session:
        (found,) = annotations_of(session, "colours")
    assert (found.sha256, found.name) == (content, str(learned))


def test_coco_has_a_category_for_each_class_and_an_annotation_for_each_image(ledger, tmp_path):
    take(ledger, table(tmp_path / "new", "0.png,red", "1.png,green"))
    out = tmp_path / "coco.json"
    export_labels(ledger, LabelExport(LabelFormat.COCO, out))
    document = json.loads(out.read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    files = {image["id"]: Path(image["file_name"]).name for image in document["images"]}
    assert {files[one["image_id"]]: names[one["category_id"]] for one in document["annotations"]} == {
        "0.png": "red",
        "1.png": "green",
    }


def test_what_was_said_of_an_image_is_found_by_any_path_that_leads_to_it(ledger, tmp_path, monkeypatch):
    take(ledger, table(tmp_path / "new", "0.png,red"), annotator="ada")
    take(ledger, table(tmp_path / "new", "0.png,green"), annotator="ben")
    (tmp_path / "copy.png").write_bytes((tmp_path / "new" / "0.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    for path in ("new/0.png", str(tmp_path / "new" / "0.png"), "copy.png", "0.png"):
        content = content_of(ledger, SETTINGS, path)
        with ledger.read() as session:
            assert [one.label for one in list_labels(session, None, image=path, content=content)] == ["red", "green"]
    with ledger.read() as session, pytest.raises(UsageError, match=r"Nobody has said anything of 'new/1\.png'"):
        list_labels(session, None, image="new/1.png", content=content_of(ledger, SETTINGS, "new/1.png"))


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


def test_a_person_adds_imports_lists_and_exports_labels_from_the_command_line(
    ledger: Database, pictures: list[Path], database_url: str, tmp_path: Path
):
    del ledger
    cli = Cli(os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}, tmp_path)
    assert cli.json("labels", "add", "new/0.png", "red", "--by", "ada")["num_added"] == 1
    table(tmp_path, *(str(picture) + ",green" for picture in pictures), str(pictures[0]) + ",Nut")

    done = cli("labels", "import", "labels.csv", "--by", "ben")
    assert done.returncode == 2
    assert "The model has no class 'Nut'" in done.stderr
    done = cli("labels", "import", "labels.csv", "--by", "ben", "--new-classes", "skip")
    assert "Took in 4 labels for 'colours' (1 skipped: new class 'Nut')." in " ".join(done.stdout.split())
    assert len(cli.json("labels", "list")) == 5
    assert [one["label"] for one in cli.json("labels", "list", "--image", "new/0.png")] == ["red", "green"]
    assert {one["annotator"] for one in cli.json("labels", "list", "--conflicts")} == {"ada", "ben"}

    done = cli("labels", "export", "--format", "label-studio", "--out", "tasks.json", "--config", "page.xml")
    assert done.returncode == 0, done.stderr
    assert cli.json("labels", "import", "tasks.json")["num_known"] == 5
    (tmp_path / "tasks.json").write_text('[{"data": }]')
    done = cli("labels", "import", "tasks.json")
    assert done.returncode == 2
    assert "line 1, column 11" in " ".join(done.stderr.split())


def test_who_says_it_again_by_hand_after_someone_else_is_heard(ledger, pictures):
    for who, label in (("ann", "red"), ("bob", "green"), ("ann", "red")):
        taking = Taking(annotator=who, origin=AnnotationOrigin.ADDED)
        record(ledger, SETTINGS, [one_label(str(pictures[0]), label, SETTINGS)], taking)
    assert said(ledger) == {"0.png": "red"}
    report = record(ledger, SETTINGS, [one_label(str(pictures[0]), "red", SETTINGS)], taking)
    assert (report.num_added, report.num_known) == (0, 1)


def test_what_is_for_measuring_comes_back_from_label_studio_as_that(ledger, pictures, tmp_path):
    record(ledger, SETTINGS, [one_label(str(pictures[0]), "red", SETTINGS)], Taking(split=Split.TEST))
    out = tmp_path / "tasks.json"
    export_labels(ledger, LabelExport(LabelFormat.LABEL_STUDIO, out))
    assert take(ledger, out).num_added == 0
    with ledger.read() as session:
        assert [one.split for one in annotations_of(session, "colours")] == [Split.TEST]


def label_job(ledger: Database, worker: ColourWorker, source: Path) -> int:
    job_id = submit(ledger, SETTINGS, LabelRequest([str(source)], ["colours"])).job_id
    plan(ledger, job_id, Access.of(SETTINGS))
    worker.work()
    return job_id


def test_a_hash_that_is_not_known_is_not_given_to_an_image_of_the_same_name(ledger, worker, pictures):
    name = str(pictures[0])
    label_job(ledger, worker, pictures[0].parent)
    pictures[0].unlink()
    # The second line asks for the same name without a hash, and may have it.
    rows = (f"{name},red,{'f' * 64}", f"{name},red,")
    file = table(pictures[0].parent, *rows, header="image,label,sha256")
    with pytest.raises(UsageError, match=r"1 of the labels cannot be taken, so none was:\n  Line 2 .*was never seen"):
        take(ledger, file)
    assert num_labels(ledger) == 0
    assert take(ledger, table(pictures[0].parent, rows[1], header="image,label,sha256")).num_added == 1


def test_a_name_that_two_images_of_a_job_share_is_refused(ledger, worker, pictures, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    pictures[0].rename(tmp_path / "one" / "same.png")
    pictures[1].rename(tmp_path / "two" / "same.png")
    for folder in ("one", "two"):
        (tmp_path / folder / "list.txt").write_text("same.png\n")
    sources = [str(tmp_path / folder / "list.txt") for folder in ("one", "two")]
    job_id = submit(ledger, SETTINGS, LabelRequest(sources, ["colours"])).job_id
    plan(ledger, job_id, Access.of(SETTINGS))
    worker.work()
    file = table(tmp_path, "same.png,red")
    with pytest.raises(UsageError, match=rf"job {job_id} has several images of that name"):
        take(ledger, file)
    assert num_labels(ledger) == 0
    # What tells them apart is taken at its word.
    content = hashlib.sha256((tmp_path / "two" / "same.png").read_bytes()).hexdigest()
    assert take(ledger, table(tmp_path, f"same.png,red,{content}", header="image,label,sha256")).num_added == 1


def test_what_is_no_image_is_refused_with_the_reason(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.features.known.SETTLED_AFTER_S", -1.0)  # so that the second look reads no file
    (tmp_path / "new" / "notes.png").write_text("a shopping list")
    (tmp_path / "new" / "page.png").write_bytes(b"%PDF-1.7\n" + bytes(100))
    file = table(tmp_path / "new", "0.png,red", "notes.png,red", "page.png,green")
    for _ in range(2):
        with pytest.raises(UsageError) as raised:
            take(ledger, file)
        assert "2 of the labels cannot be taken" in str(raised.value)
        assert re.search(r"Line 3 of .*notes\.png was never seen: The file starts with b'a shoppi'", str(raised.value))
        assert re.search(r"Line 4 of .*page\.png was never seen: .*PDF", str(raised.value))
    assert num_labels(ledger) == 0


def test_a_table_that_is_not_utf_8_brings_no_class_that_nobody_can_read(ledger, tmp_path):
    file = tmp_path / "new" / "labels.csv"
    file.write_bytes("image,label\n0.png,hüt\n1.png,red\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"Line 2 of .*: the label 'h.udcfct' is not UTF-8"):
        take(ledger, file, new_classes=NewClasses.ADD)
    assert num_labels(ledger) == 0
    file.write_bytes("image,label\n0.png,hüt\n1.png,red\n".encode())
    assert take(ledger, file, new_classes=NewClasses.ADD).new_classes == ["hüt"]


def test_a_person_who_mistypes_a_class_is_asked_again(ledger: Database, database_url: str, tmp_path: Path):
    del ledger
    table(tmp_path / "new", "0.png,redd", "1.png,green")
    environment = os.environ | {"LABELYARD_DATABASE_URL": database_url, "LABELYARD_HOME": str(tmp_path)}
    returncode, shown = answer_on_a_terminal(
        ["labels", "import", "new/labels.csv"], ["rde", "red"], environment, tmp_path
    )
    assert returncode == 0, shown
    assert "no class 'redd'. It is near to red." in " ".join(shown.split())
    assert "Expected one of add, skip, green, red" in " ".join(shown.split())
    assert "Took in 2 labels for 'colours'." in shown


def answer_on_a_terminal(
    arguments: list[str], answers: list[str], environment: dict[str, str], folder: Path
) -> tuple[int, str]:
    """Run the program on a terminal of its own, and give an answer whenever it asks."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *arguments], env=environment, cwd=folder, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        shown, num_answered = "", 0
        # Linux says that the other side has gone by an error, not by an end.
        with suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part.decode()
                if num_answered < len(answers) and shown.count("]: ") > num_answered:
                    os.write(ours, f"{answers[num_answered]}\n".encode())
                    num_answered += 1
        os.close(ours)
        return process.wait(timeout=60), shown
