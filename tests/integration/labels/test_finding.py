"""Which image a label means, and which it may not mean."""

import hashlib
import json
import re

import pytest
from colours import RED, label, paint
from label_steps import SETTINGS, num_labels, table, take

from core.errors import UsageError
from core.types import Split
from db.annotations import annotations_of
from orchestrator.labels.listing import list_labels
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.single import content_of, one_label

pytestmark = pytest.mark.usefixtures("pictures")


def test_images_outside_of_what_may_be_read_are_never_seen(ledger, tmp_path):
    inside = paint(tmp_path / "inside" / "a.png", RED, seed=900)
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "new" / "0.png")
    settings = SETTINGS.model_copy(update={"source_roots": (str(tmp_path / "inside"),)})
    for name in ("../new/0.png", "link.png"):
        with pytest.raises(UsageError, match="outside of what may be read here"):
            record(ledger, settings, [one_label(str(inside.parent / name), "red", settings)], Taking())
    assert num_labels(ledger) == 0
    assert record(ledger, settings, [one_label(str(inside), "red", settings)], Taking()).num_added == 1


def test_an_image_that_only_a_job_has_is_known_by_its_name(ledger, worker, pictures):
    label(worker, pictures[0].parent)
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


def test_a_hash_that_is_not_known_is_not_given_to_an_image_of_the_same_name(ledger, worker, pictures):
    name = str(pictures[0])
    label(worker, pictures[0].parent)
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
    job_id = label(worker, *(tmp_path / folder / "list.txt" for folder in ("one", "two")))
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
