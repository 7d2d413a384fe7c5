"""Below a threshold an answer needs a human look; above it the wished share is right."""

import numpy as np
import pytest

from core.errors import UsageError
from workers.ml.abstention import MIN_ANSWERS, NEVER, fit_thresholds


def calibrated(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers among three classes that are right as often as their scores say."""
    answered, scores = rng.integers(0, 3, number), rng.uniform(0.4, 1.0, number)
    right = rng.uniform(size=number) < scores
    return np.where(right, answered, (answered + 1) % 3), answered, scores


def test_on_other_images_about_the_wished_share_is_right():
    rng = np.random.default_rng(0)
    thresholds = np.array(fit_thresholds(*calibrated(rng, 3000), num_classes=3, precision=0.9))
    true, answered, scores = calibrated(rng, 20_000)
    let_through = scores >= thresholds[answered]
    assert 0.3 < let_through.mean() < 0.9
    assert (true == answered)[let_through].mean() == pytest.approx(0.9, abs=0.02)


def test_the_lowest_score_that_will_do_is_taken():
    true = np.array([0, 0, 0, 0, 0, 1, 0, 1, 1, 1])
    scores = np.array([0.99, 0.98, 0.97, 0.96, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5])
    answered = np.zeros(10, int)
    assert fit_thresholds(true, answered, scores, num_classes=2, precision=1.0)[0] == 0.95
    assert fit_thresholds(true, answered, scores, num_classes=2, precision=0.85)[0] == 0.8
    assert fit_thresholds(true, answered, scores, num_classes=2, precision=0.5)[0] == 0.5


def test_answers_of_one_score_are_let_through_together_or_not_at_all():
    true, answered = np.array([0] * 6 + [1] * 6), np.zeros(12, int)
    assert fit_thresholds(true, answered, np.full(12, 0.9), num_classes=1 + 1, precision=0.9)[0] == NEVER


def test_a_class_with_few_answers_or_none_always_needs_a_look():
    number = MIN_ANSWERS - 1
    thresholds = fit_thresholds(
        np.zeros(number, int), np.zeros(number, int), np.full(number, 0.99), num_classes=2, precision=0.9
    )
    assert thresholds == (NEVER, NEVER)


@pytest.mark.parametrize("precision", [0.0, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(precision: float):
    with pytest.raises(UsageError, match="--abstain"):
        fit_thresholds(np.zeros(5, int), np.zeros(5, int), np.ones(5), num_classes=1, precision=precision)
