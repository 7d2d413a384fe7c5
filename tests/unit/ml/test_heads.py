import numpy as np
import pytest

from core.labels import ClassLabel
from workers.ml.heads import Head, top_k


def labels(num: int) -> tuple[ClassLabel, ...]:
    return tuple(ClassLabel(label=f"class {index}", label_id=str(index)) for index in range(num))


def head(weights: list[list[float]], bias: list[float]) -> Head:
    return Head(np.array(weights, np.float32), np.array(bias, np.float32), labels(len(bias)))


def test_probabilities_are_the_softmax_of_features_times_weights_plus_bias():
    two_features_three_classes = head([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]], [0.5, 0.0, -0.5])

    received = two_features_three_classes.probabilities(np.array([[1.0, 2.0]], np.float32))

    exponentials = np.exp([1.5, 2.0, -0.5])
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, [exponentials / exponentials.sum()], rtol=1e-6)


def test_huge_logits_give_probabilities_and_no_overflow():
    received = head([[1.0, -1.0]], [0.0, 0.0]).probabilities(np.array([[1e4], [-1e4]], np.float32))

    np.testing.assert_array_equal(received, [[1.0, 0.0], [0.0, 1.0]])


def test_probabilities_are_as_exact_as_their_type():
    random = np.random.default_rng(3)
    features = random.normal(size=(50, 20)).astype(np.float32)
    classifier = Head(random.normal(size=(20, 1000)).astype(np.float32), np.zeros(1000, np.float32), labels(1000))

    received = classifier.probabilities(features)

    exponentials = np.exp(classifier.logits(features).astype(np.float64))
    np.testing.assert_allclose(received, exponentials / exponentials.sum(axis=1, keepdims=True), atol=1e-6)


def test_no_features_give_no_probabilities():
    assert head([[1.0, -1.0]], [0.0, 0.0]).probabilities(np.empty((0, 1), np.float32)).shape == (0, 2)


def test_features_of_another_backbone_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"expected shape \(N, 1\), received \(2, 3\)"):
        head([[1.0, -1.0]], [0.0, 0.0]).probabilities(np.ones((2, 3), np.float32))


@pytest.mark.parametrize(
    ("weights", "bias", "num_labels", "message"),
    [
        (np.ones(3, np.float32), np.ones(3, np.float32), 3, r"weights: expected shape .* received \(3,\)"),
        (np.ones((2, 3), np.float32), np.ones(2, np.float32), 3, r"bias: expected shape \(3,\), received \(2,\)"),
        (np.ones((2, 3), np.float32), np.ones(3, np.float32), 2, r"labels: expected 3.* received 2"),
        (np.ones((2, 3), np.float64), np.ones(3, np.float32), 3, r"weights: expected float32, received float64"),
        (np.ones((2, 3), np.float32), np.ones(3, np.int64), 3, r"bias: expected float32, received int64"),
    ],
)
def test_parts_that_do_not_fit_each_other_make_no_head(weights, bias, num_labels, message):
    with pytest.raises(ValueError, match=message):
        Head(weights, bias, labels(num_labels))


def test_top_k_is_best_first_and_equal_scores_keep_the_order_of_the_classes():
    indices, scores = top_k(np.array([[0.1, 0.4, 0.1, 0.4], [0.7, 0.1, 0.1, 0.1]], np.float32), 3)

    np.testing.assert_array_equal(indices, [[1, 3, 0], [0, 1, 2]])
    np.testing.assert_array_equal(scores, np.array([[0.4, 0.4, 0.1], [0.7, 0.1, 0.1]], np.float32))


@pytest.mark.parametrize("k", [1, 5, 100, 101, 999, 1000, 2000])
@pytest.mark.parametrize("num_values", [2, 50, 10**6])
def test_top_k_is_what_sorting_everything_gives_however_many_are_equal(k: int, num_values: int):
    shares = np.random.default_rng(k).integers(0, num_values, (20, 1000)).astype(np.float32) / np.float32(num_values)
    given = shares.copy()

    indices, scores = top_k(shares, k)

    expected = np.argsort(-given, axis=1, kind="stable")[:, :k]
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(scores, np.take_along_axis(given, expected, axis=1))
    np.testing.assert_array_equal(shares, given)


def test_top_k_of_no_rows_is_no_rows():
    indices, scores = top_k(np.empty((0, 7), np.float32), 3)

    assert indices.shape == scores.shape == (0, 3)


def test_top_k_of_fewer_classes_than_asked_for_is_all_of_them():
    indices, scores = top_k(np.array([[0.25, 0.75]], np.float32), 5)

    np.testing.assert_array_equal(indices, [[1, 0]])
    assert scores.shape == (1, 2)


def test_top_zero_is_refused():
    with pytest.raises(ValueError, match="expected 1 or more, received 0"):
        top_k(np.ones((1, 2), np.float32), 0)
