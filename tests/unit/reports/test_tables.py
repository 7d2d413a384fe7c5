import numpy as np

from core.types import Split
from orchestrator.reports.tables import MAX_GRID_CLASSES, Pair, class_rows, confused_pairs, confusion_grid, epoch_rows
from workers.ml.evaluation import evaluate

CLASSES = ("cat", "dog", "owl", "newt")


def judged(true: list[int], answers: list[int], classes=CLASSES):
    scores = np.full((len(true), 1), 0.9, np.float32)
    return evaluate(np.array(true), np.array(answers)[:, np.newaxis], scores, classes)


def test_the_grid_has_counts_and_shares_of_the_row():
    (label, cells), *_ = confusion_grid(judged([0, 0, 0, 0, 1], [0, 0, 0, 1, 1]))

    assert label == "cat"
    assert [(cell.num_images, cell.share, cell.is_right) for cell in cells] == [
        (3, 0.75, True),
        (1, 0.25, False),
        (0, 0.0, False),
        (0, 0.0, False),
    ]


def test_the_most_confused_pairs_come_first():
    found = judged([0, 0, 0, 0, 1, 1, 2], [0, 1, 1, 2, 0, 1, 0])

    assert confused_pairs(found) == (
        Pair("cat", "dog", 2, 0.5),
        Pair("owl", "cat", 1, 1.0),
        Pair("dog", "cat", 1, 0.5),
        Pair("cat", "owl", 1, 0.25),
    )


def test_undefined_figures_are_none():
    cat, dog, owl, newt = class_rows(judged([0, 0, 1], [0, 2, 0]))

    assert (cat.precision, cat.recall, cat.taken_for) == (0.5, 0.5, Pair("cat", "owl", 1, 0.5))
    assert (dog.precision, dog.recall, dog.f1) == (None, 0.0, 0.0)
    assert (owl.precision, owl.recall, owl.f1) == (0.0, None, 0.0)
    assert (newt.precision, newt.recall, newt.f1, newt.taken_for) == (None, None, None, None)


def test_too_many_classes_for_a_screen_have_no_grid_and_the_worst_first():
    classes = tuple(f"class {index}" for index in range(MAX_GRID_CLASSES + 2))
    found = judged([0, 1, 2, 3], [0, 1, 3, 3], classes)

    rows = class_rows(found)

    assert confusion_grid(found) == ()
    assert [row.label for row in rows[:2]] == ["class 2", "class 3"]
    assert {row.f1 for row in rows[4:]} == {None}


def test_an_epoch_is_one_row_and_takes_as_long_as_its_splits_together(epochs):
    rows = epoch_rows(epochs)

    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.stage for row in rows] == ["head"] * 3 + ["finetune"] * 3
    assert {row.duration_s for row in rows} == {1.0}
    assert set(rows[0].by_split) == {Split.TRAIN, Split.VAL}
