"""What a job's results add up to, on both databases."""

from ledger_steps import claim, finish, job_with, model_of

from core.labels import ClassLabel
from db.database import Database
from db.models import ensure_labels
from db.results import PAGE_SIZE, class_labels, count_labels, count_names, labelled_images


def test_classes_of_one_name_are_counted_together(ledger: Database):
    job_id = job_with(ledger, 6)
    labels = [ClassLabel("crane", f"n{number}") for number in range(8)]
    with ledger.write() as session:
        ensure_labels(session, model_of(ledger, job_id), labels)
    while lease := claim(ledger):
        finish(ledger, lease, bad=[2])
    with ledger.read() as session:
        assert count_labels(session, job_id, model_of(ledger, job_id), limit=10) == [("crane", 5)]
        assert count_names(session, job_id, model_of(ledger, job_id)) == 1


def test_labels_are_stored_once_whoever_stores_them(ledger: Database):
    job_id = job_with(ledger, 1)
    model_id = model_of(ledger, job_id)
    for label in ("first", "second"):
        with ledger.write() as session:
            ensure_labels(session, model_id, [ClassLabel(label, "n0")])
    with ledger.read() as session:
        assert class_labels(session, model_id) == {0: ClassLabel("first", "n0")}


def test_results_are_read_page_by_page_without_a_gap(ledger: Database):
    num_images = PAGE_SIZE + 3
    job_id = job_with(ledger, num_images)
    with ledger.read() as session:
        images = list(labelled_images(session, job_id, model_of(ledger, job_id)))
    assert [image.ordinal for image in images] == list(range(num_images))
