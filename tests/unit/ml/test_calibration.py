import numpy as np
import pytest

from core.labels import ClassLabel
from workers.ml.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, fit_temperature, scale
from workers.ml.heads import Head


def calibrated_logits(num_images: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn with exactly the probabilities that they stand for."""
    random = np.random.default_rng(4)
    logits = random.normal(0, 2, (num_images, num_classes))
    # The largest of logits plus Gumbel noise is distributed like their softmax.
    true = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return logits.astype(np.float32), true


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_the_factor_that_spoiled_calibrated_logits_is_found(factor):
    logits, true = calibrated_logits(20_000, 5)

    assert fit_temperature(logits * np.float32(factor), true) == pytest.approx(factor, rel=0.03)


def test_one_number_more_on_every_logit_of_an_image_changes_nothing():
    logits, true = calibrated_logits(500, 3)
    offsets = np.random.default_rng(5).normal(0, 50, (500, 1)).astype(np.float32)

    assert fit_temperature(logits + offsets, true) == pytest.approx(fit_temperature(logits, true), rel=1e-3)


@pytest.mark.parametrize("num_images", [1, 20, 1000])
def test_a_head_without_mistakes_becomes_as_sure_as_so_many_images_justify(num_images):
    logits = np.tile(np.array([[4.0, 0.0]], np.float32), (num_images, 1))

    temperature = fit_temperature(logits, np.zeros(num_images, int))

    score = 1 / (1 + np.exp(-4.0 / temperature))
    assert score == pytest.approx((num_images + 0.5) / (num_images + 1), abs=1e-3)


@pytest.mark.parametrize(
    ("logits", "true", "expected"),
    [
        ([[0.01, 0.0]] * 50, [0] * 50, MIN_TEMPERATURE),
        ([[500.0, 0.0]] * 50, [1] * 50, MAX_TEMPERATURE),
        ([[1e30, 0.0]], [1], MAX_TEMPERATURE),
    ],
)
def test_no_images_drive_the_temperature_out_of_its_range(logits, true, expected):
    received = fit_temperature(np.array(logits, np.float32), np.array(true))

    assert MIN_TEMPERATURE <= received <= MAX_TEMPERATURE
    assert received == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("logits", "true", "message"),
    [
        (np.empty((0, 3), np.float32), np.empty(0, int), "with N above 0"),
        (np.ones((2, 3), np.float32), np.zeros(3, int), r"received \(2, 3\) and \(3,\)"),
        (np.array([[np.nan, 0.0]], np.float32), np.zeros(1, int), "expected finite logits"),
    ],
)
def test_logits_that_nothing_can_be_fitted_to_are_refused(logits, true, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, true)


@pytest.fixture
def head():
    random = np.random.default_rng(6)
    labels = tuple(ClassLabel(name, str(index)) for index, name in enumerate(("cat", "dog", "owl")))
    return Head(random.normal(size=(4, 3)).astype(np.float32), random.normal(size=3).astype(np.float32), labels)


def test_a_scaled_head_answers_as_before_with_scores_of_the_temperature(head):
    features = np.random.default_rng(7).normal(size=(50, 4)).astype(np.float32)

    cooler = scale(head, 2.5).probabilities(features)

    logits = (features @ head.weights + head.bias) / 2.5
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(cooler, expected, rtol=1e-5)
    np.testing.assert_array_equal(cooler.argmax(axis=1), head.probabilities(features).argmax(axis=1))


def test_scaling_makes_new_arrays_of_the_same_type(head):
    weights = head.weights.copy()

    scaled = scale(head, 2.0)

    np.testing.assert_array_equal(head.weights, weights)
    assert (scaled.weights.dtype, scaled.bias.dtype) == (np.float32, np.float32)
    assert scaled.labels == head.labels


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(head, temperature):
    with pytest.raises(ValueError, match="expected a positive number"):
        scale(head, temperature)
