"""Labels go to other programs, and come back as they were or as those programs change them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from colours import label
from label_steps import SETTINGS, table, take

from core.types import NewClasses, Split
from db.annotations import annotations_of
from orchestrator.labels.exporting import LabelExport, LabelFormat, export_labels
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.single import one_label

pytestmark = pytest.mark.usefixtures("pictures")


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
    job_id = label(worker, pictures[0].parent)
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


def test_what_is_for_measuring_comes_back_from_label_studio_as_that(ledger, pictures, tmp_path):
    record(ledger, SETTINGS, [one_label(str(pictures[0]), "red", SETTINGS)], Taking(split=Split.TEST))
    out = tmp_path / "tasks.json"
    export_labels(ledger, LabelExport(LabelFormat.LABEL_STUDIO, out))
    assert take(ledger, out).num_added == 0
    with ledger.read() as session:
        assert [one.split for one in annotations_of(session, "colours")] == [Split.TEST]
