import json

import numpy as np
import pytest

from core.errors import DatasetError
from workers.ml.evaluation import Evaluation, evaluate, mcnemar_p

CLASSES = ("cat", "dog", "owl")

# Worked out by hand: cat 2 of 3 found, dog 2 of 2, owl 0 of 1.
TRUE = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 0, 2], [1, 2, 0], [0, 1, 2]])
SCORES = np.array(
    [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [0.4, 0.3, 0.3]], np.float32
)


@pytest.fixture(scope="module")
def small():
    return evaluate(TRUE, ANSWERS, SCORES, CLASSES)


def test_accuracy_and_confusion_are_what_counting_gives(small):
    assert small.num_images == 6
    assert small.accuracy == pytest.approx(4 / 6)
    assert small.confusion == ((2, 1, 0), (0, 2, 0), (1, 0, 0))
    assert small.majority_share == pytest.approx(3 / 6)


def test_precision_recall_and_f1_of_each_class_are_what_their_definitions_give(small):
    cat, dog, owl = small.classes

    assert (cat.label, cat.precision, cat.recall, cat.f1, cat.support) == pytest.approx(("cat", 2 / 3, 2 / 3, 2 / 3, 3))
    assert (dog.label, dog.precision, dog.recall, dog.f1, dog.support) == pytest.approx(("dog", 2 / 3, 1, 4 / 5, 2))
    assert (owl.label, owl.precision, owl.recall, owl.f1, owl.support) == ("owl", 0.0, 0.0, 0.0, 1)


def test_macro_averages_count_every_class_the_same(small):
    assert small.macro.precision == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert small.macro.recall == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert small.macro.f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_a_class_without_images_takes_no_part_in_macro_averages():
    true, answers = np.array([0, 0, 1]), np.array([[0], [2], [1]])

    found = evaluate(true, answers, np.ones((3, 1), np.float32), CLASSES)

    assert found.classes[2].support == 0
    assert found.macro.recall == pytest.approx((1 / 2 + 1) / 2)
    assert found.macro.f1 == pytest.approx((2 / 3 + 1) / 2)


def test_top_k_is_the_share_of_images_whose_class_is_among_the_best(small):
    assert small.top_k == pytest.approx((4 / 6, 5 / 6, 1.0))
    assert evaluate(TRUE, ANSWERS[:, :2], SCORES[:, :2], CLASSES).top_k == pytest.approx((4 / 6, 5 / 6))


def test_top_k_ends_at_five():
    answers = np.tile(np.arange(8), (3, 1))

    found = evaluate(np.array([0, 3, 6]), answers, np.full((3, 8), 1 / 8, np.float32), [str(i) for i in range(10)])

    assert found.top_k == pytest.approx((1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3))


def test_calibration_error_is_the_mean_gap_between_score_and_accuracy(small):
    # Each of the six scores is alone in its fifteenth; only 0.6 and 0.4 are wrong.
    gaps = [1 - 0.9, 1 - 0.8, 0.6, 0.0, 1 - 0.5, 0.4]

    assert small.ece == pytest.approx(sum(gaps) / 6)


def test_images_of_one_bin_are_averaged_before_the_gap_is_taken():
    scores = np.array([[0.61], [0.65], [0.63], [0.96]], np.float32)
    right = np.array([[0], [0], [1], [0]])

    found = evaluate(np.zeros(4, int), right, scores, CLASSES)

    full = [bin_ for bin_ in found.bins if bin_.num_images]
    assert [(bin_.num_images, bin_.accuracy) for bin_ in full] == [(3, pytest.approx(2 / 3)), (1, 1.0)]
    assert full[0].mean_score == pytest.approx(0.63)
    assert (full[0].lower, full[0].upper) == pytest.approx((9 / 15, 10 / 15))
    assert found.ece == pytest.approx((3 * (2 / 3 - 0.63) + 1 * (1 - 0.96)) / 4)


def test_a_score_on_an_edge_is_in_the_bin_that_ends_there():
    scores = np.array([[0.0], [0.2], [0.4], [0.6], [0.8], [1.0]], np.float32)

    found = evaluate(np.zeros(6, int), np.zeros((6, 1), int), scores, CLASSES)

    assert [index for index, bin_ in enumerate(found.bins) if bin_.num_images] == [0, 2, 5, 8, 11, 14]
    assert sum(bin_.num_images for bin_ in found.bins) == 6


def test_empty_bins_have_no_figures(small):
    empty = [bin_ for bin_ in small.bins if bin_.num_images == 0]

    assert len(small.bins) == 15
    assert len(empty) == 9
    assert {(bin_.mean_score, bin_.accuracy) for bin_ in empty} == {(None, None)}


def test_the_interval_of_the_accuracy_is_wilsons():
    from scipy.stats import binomtest  # noqa: PLC0415 - the reference, for this test alone

    for num_right in (0, 1, 7, 9, 10):
        answers = np.array([[0]] * num_right + [[1]] * (10 - num_right))
        found = evaluate(np.zeros(10, int), answers, np.ones((10, 1), np.float32), CLASSES)
        expected = binomtest(num_right, 10).proportion_ci(method="wilson")
        assert found.accuracy_interval == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_of_a_thousand_classes_only_those_that_occur_are_kept():
    classes = [f"class {index}" for index in range(1000)]

    found = evaluate(np.array([7, 7, 900]), np.array([[7], [30], [900]]), np.ones((3, 1), np.float32), classes)

    assert [(figures.index, figures.label, figures.support) for figures in found.classes] == [
        (7, "class 7", 2),
        (30, "class 30", 0),
        (900, "class 900", 1),
    ]
    assert found.confusion == ((1, 1, 0), (0, 0, 0), (0, 0, 1))


def test_an_evaluation_survives_json(small):
    assert Evaluation.from_json(json.loads(json.dumps(small.to_json()))) == small


def test_no_image_is_an_error_that_says_so():
    with pytest.raises(DatasetError, match="no image to measure on: received 0"):
        evaluate(np.empty(0, int), np.empty((0, 3), int), np.empty((0, 3), np.float32), CLASSES)


@pytest.mark.parametrize(
    ("true", "answers", "scores", "message"),
    [
        (TRUE[:5], ANSWERS, SCORES, r"received \(5,\), \(6, 3\) and \(6, 3\)"),
        (TRUE, ANSWERS, SCORES[:, :2], r"received \(6,\), \(6, 3\) and \(6, 2\)"),
        (TRUE + 1, ANSWERS, SCORES, "expected true classes from 0 to 2, received 1 to 3"),
        (TRUE, ANSWERS - 1, SCORES, "expected answered classes from 0 to 2, received -1 to 1"),
    ],
)
def test_answers_that_do_not_fit_are_refused(true, answers, scores, message):
    with pytest.raises(ValueError, match=message):
        evaluate(true, answers, scores, CLASSES)


def test_mcnemar_is_the_binomial_test_on_images_that_one_model_alone_has_right():
    right_a = np.array([True] * 8 + [False] * 1 + [True] * 50)
    right_b = np.array([False] * 8 + [True] * 1 + [True] * 50)

    # Both tails of nine coins with at most one on the rarer side.
    assert mcnemar_p(right_a, right_b) == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar_p(right_b, right_a) == mcnemar_p(right_a, right_b)


def test_models_that_are_right_on_the_same_images_do_not_differ():
    right = np.array([True, False, True])

    assert mcnemar_p(right, right) == 1.0


def test_answers_to_different_images_are_not_compared():
    with pytest.raises(ValueError, match=r"received \(3,\) and \(2,\)"):
        mcnemar_p(np.ones(3, bool), np.ones(2, bool))
