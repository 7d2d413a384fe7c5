"""Labels by people are only added, and of one image the newest counts."""

from core.types import AnnotationOrigin, Split
from db.annotations import (
    Annotation,
    add_annotations,
    annotated_classes,
    annotations_of,
    conflicts,
    hashes_for_testing,
    newest_annotations,
)
from db.database import Database

FIRST, SECOND = "a" * 64, "b" * 64


def label(
    sha256: str, name: str, *, by: str = "someone", at_s: float = 100.0, split: Split | None = None
) -> Annotation:
    return Annotation(
        sha256=sha256,
        label=name,
        annotator=by,
        origin=AnnotationOrigin.ADDED,
        name=f"{sha256[:3]}.jpg",
        locator='{"kind":"file","uri":"/photos/1.jpg"}',
        created_at=at_s,
        split=split,
    )


def add(ledger: Database, *annotations: Annotation, model: str = "parts") -> None:
    with ledger.write() as session:
        add_annotations(session, model, annotations)


def test_of_an_image_the_newest_label_counts_also_if_older_ones_come_later(ledger: Database):
    add(ledger, label(FIRST, "Hat", at_s=200.0), label(SECOND, "Cube"))
    add(ledger, label(FIRST, "Card", at_s=150.0))
    with ledger.read() as session:
        assert {key: found.label for key, found in newest_annotations(session, "parts").items()} == {
            FIRST: "Hat",
            SECOND: "Cube",
        }


def test_of_labels_of_one_moment_the_one_that_came_last_counts(ledger: Database):
    add(ledger, label(FIRST, "Hat"), label(FIRST, "Card"))
    with ledger.read() as session:
        assert newest_annotations(session, "parts")[FIRST].label == "Card"


def test_all_that_was_ever_said_of_an_image_stays(ledger: Database):
    add(ledger, label(FIRST, "Hat", at_s=1.0), label(FIRST, "Card", at_s=2.0), label(SECOND, "Torch"))
    with ledger.read() as session:
        assert [found.label for found in annotations_of(session, "parts", sha256s=[FIRST])] == ["Hat", "Card"]
        assert len(annotations_of(session, "parts")) == 3


def test_images_that_people_disagree_about_are_listed_with_who_says_what(ledger: Database):
    add(
        ledger,
        label(FIRST, "Hat", by="ada", at_s=1.0),
        label(FIRST, "Card", by="ben", at_s=2.0),
        label(SECOND, "Hat", by="ada", at_s=1.0),
        label(SECOND, "Card", by="ben", at_s=2.0),
        label(SECOND, "Card", by="ada", at_s=3.0),
    )
    with ledger.read() as session:
        found = conflicts(session, "parts")
    assert {key: [(one.annotator, one.label) for one in ones] for key, ones in found.items()} == {
        FIRST: [("ada", "Hat"), ("ben", "Card")]
    }


def test_labels_of_one_model_are_not_those_of_another(ledger: Database):
    add(ledger, label(FIRST, "Hat"), model="parts")
    add(ledger, label(FIRST, "Ant"), model="insects")
    with ledger.read() as session:
        assert newest_annotations(session, "parts")[FIRST].label == "Hat"
        assert annotated_classes(session, "insects") == {"Ant"}


def test_images_to_measure_on_are_known(ledger: Database):
    add(ledger, label(FIRST, "Hat", split=Split.TEST), label(FIRST, "Card"), label(SECOND, "Hat"))
    with ledger.read() as session:
        assert hashes_for_testing(session, "parts") == {FIRST}
