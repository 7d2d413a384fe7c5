"""Label Studio's tasks, as it publishes their format, read and refused."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from core.errors import UsageError
from core.items import FileLocator
from orchestrator.labels.label_studio import labelling_config, read_tasks
from orchestrator.labels.values import GivenLabel
from orchestrator.sources.manifests import EntryReader
from orchestrator.sources.specs import SourceSpec
from workers.access import Access


def read(document: object, folder: Path) -> list[GivenLabel]:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    images = EntryReader(Access(), SourceSpec("tasks.json", str(folder / "tasks.json"), None, allow_http=True))
    return read_tasks(io.BytesIO(text), "tasks.json", images)


def task(*annotations: dict, **others: object) -> dict:
    return {"id": 7, "data": {"image": "/photos/1.jpg"}, "annotations": list(annotations), **others}


def annotation(label: str, **others: object) -> dict:
    value = {"choices": [label]}
    return {"result": [{"from_name": "choice", "to_name": "image", "type": "choices", "value": value}], **others}


def test_a_task_as_label_studio_exports_it_is_read(tmp_path: Path):
    # The fields are those of https://labelstud.io/guide/task_format.html, with a choice in place of a box.
    document = [
        {
            "id": 1,
            "created_at": "2021-03-09T21:52:49.513742Z",
            "updated_at": "2021-03-09T22:16:08.746926Z",
            "project": 83,
            "data": {"image": "https://example.com/opensource/label-studio/1.jpg"},
            "annotations": [
                {
                    "id": "1001",
                    "result": [
                        {
                            "from_name": "tag",
                            "id": "Dx_aB91ISN",
                            "source": "$image",
                            "to_name": "img",
                            "type": "choices",
                            "value": {"choices": ["Moonwalker"]},
                        }
                    ],
                    "was_cancelled": False,
                    "ground_truth": False,
                    "created_at": "2021-03-09T22:16:08.728353Z",
                    "updated_at": "2021-03-09T22:16:08.728378Z",
                    "lead_time": 4.288,
                    "result_count": 0,
                    "task": 1,
                    "completed_by": 10,
                }
            ],
            "predictions": [{"created_ago": "3 hours", "model_version": "model 1", "result": []}],
        }
    ]
    (found,) = read(document, tmp_path)
    assert (found.image, found.label, found.annotator) == (
        "https://example.com/opensource/label-studio/1.jpg",
        "Moonwalker",
        "label-studio:10",
    )
    assert found.created_at == pytest.approx(1615328168.728378)


def test_each_person_who_annotated_gives_a_label_and_cancelled_ones_give_none(tmp_path: Path):
    found = read(
        [
            task(
                annotation("Hat", completed_by={"id": 1, "email": "ada@example.org"}),
                annotation("Card", completed_by={"id": 2}),
                annotation("Cube", was_cancelled=True, completed_by=3),
                {"result": [], "completed_by": 4},
            )
        ],
        tmp_path,
    )
    assert [(one.annotator, one.label) for one in found] == [("ada@example.org", "Hat"), ("label-studio:2", "Card")]


def test_the_short_export_is_read_too(tmp_path: Path):
    document = [{"image": "a.jpg", "id": 1, "choice": "Hat", "annotator": 5, "annotation_id": 9, "lead_time": 2.5}]
    (found,) = read(document, tmp_path)
    assert (found.label, found.annotator) == ("Hat", "label-studio:5")
    assert found.locator == FileLocator(str(tmp_path / "a.jpg"))


def test_files_that_label_studio_serves_itself_are_found(tmp_path: Path):
    (found,) = read([task(annotation("Hat")) | {"data": {"image": "/data/local-files/?d=photos/1.jpg"}}], tmp_path)
    assert found.locator == FileLocator("/photos/1.jpg")


def test_an_upload_is_known_by_what_travels_with_it_alone(tmp_path: Path):
    (found,) = read(
        [task(annotation("Hat"), meta={"sha256": "a" * 64}) | {"data": {"image": "/data/upload/1/ab-1.jpg"}}], tmp_path
    )
    assert found.locator is None
    assert found.sha256 == "a" * 64


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "is not JSON: Expecting value, line 1, column 1"),
        (b'[{"data": {"image": "a.jpg"},\n "annotations": [}]', "line 2, column 18"),
        (b"\xff\xfe[]", "is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'[{"id": ' + b"1" * 5000 + b"}]", "cannot be read as JSON: Exceeds the limit"),
        ({"data": {}}, "holds one dict. Expected a list of tasks"),
        ([], "holds 0 tasks and no annotation"),
        ([task()], "holds 1 tasks and no annotation"),
        ([5], "task 1 of tasks.json"),
        ([{"data": {"image": 5}, "annotations": [annotation("Hat")]}], "data names no image"),
        ([task({"result": [{"type": "choices"}]})], "task 7 of tasks.json: annotations.0.result.0.from_name"),
        (
            [task({"result": [*annotation("Hat")["result"], *annotation("Card")["result"]]})],
            "2 choices; expected one class for an image",
        ),
        ([{"image": "a.jpg", "one": "Hat", "two": "Card"}], "expected the keys image and one choice"),
        ([task(annotation("Hat"), meta={"locator": "no JSON"})], "task 7 of tasks.json"),
        ([task(annotation("Hat"), meta={"locator": '{"kind":"shell","uri":"x"}'})], "was not written by Labelyard"),
        ([task(annotation("Hat"), meta={"locator": "5"})], "was not written by Labelyard"),
    ],
)
def test_what_is_no_list_of_tasks_is_refused_with_its_place(document: object, words: str, tmp_path: Path):
    with pytest.raises(UsageError) as raised:
        read(document, tmp_path)
    assert words in str(raised.value)


def test_what_travels_with_a_task_leads_to_the_web_only_if_that_is_allowed(tmp_path: Path):
    meta = {"locator": '{"kind":"file","uri":"http://example.com/1.jpg"}'}
    images = EntryReader(Access(), SourceSpec("tasks.json", str(tmp_path / "tasks.json"), None, allow_http=False))
    with pytest.raises(UsageError, match="--allow-http"):
        read_tasks(io.BytesIO(json.dumps([task(annotation("Hat"), meta=meta)]).encode()), "tasks.json", images)


def test_the_labelling_page_is_xml_whatever_classes_are_called():
    root = ET.fromstring(labelling_config(["Hat", 'a "quoted" <class> & more']))
    assert root.tag == "View"
    choices = root.find("Choices")
    assert choices is not None
    assert choices.get("toName") == root.find("Image").get("name")
    assert [choice.get("value") for choice in choices] == ["Hat", 'a "quoted" <class> & more']
