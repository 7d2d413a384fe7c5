"""Drift is found where images change, and not where they do not."""

import numpy as np
import pytest

from workers.ml.drift import MIN_IMAGES, Sample, measure_drift, population_stability_index

LIMIT = 0.2


def sample(rng: np.random.Generator, number: int, *, shift: float = 0.0, a: float = 6.0) -> Sample:
    features = rng.normal(size=(number, 64))
    features[:, 0] = 4 * features[:, 0] + shift
    return Sample(rng.beta(a, 2.0, number), features)


def test_images_that_did_not_change_seldom_drift():
    rng = np.random.default_rng(0)
    values = [measure_drift(sample(rng, 200), sample(rng, 200)).value for _ in range(50)]
    assert sum(value is not None and value > LIMIT for value in values) <= 2


def test_features_that_moved_drift():
    rng = np.random.default_rng(1)
    found = measure_drift(sample(rng, 200), sample(rng, 200, shift=4.0))
    assert found.features is not None
    assert found.features > LIMIT
    assert found.confidence is not None
    assert found.confidence < LIMIT


def test_scores_that_fell_drift():
    rng = np.random.default_rng(2)
    found = measure_drift(sample(rng, 200), sample(rng, 200, a=2.0))
    assert found.confidence is not None
    assert found.value == found.confidence > LIMIT


def test_a_mix_of_classes_that_changed_drifts():
    rng = np.random.default_rng(3)

    def mix(share: float) -> Sample:
        features = rng.normal(size=(300, 64))
        features[: int(300 * share), 0] += 6.0
        return Sample(rng.beta(6, 2, 300), features)

    assert (measure_drift(mix(0.5), mix(0.5)).value or 0.0) < LIMIT
    assert (measure_drift(mix(0.5), mix(0.9)).value or 0.0) > LIMIT


def test_too_few_images_say_nothing():
    rng = np.random.default_rng(4)
    found = measure_drift(sample(rng, MIN_IMAGES - 1), sample(rng, 500))
    assert found.value is None
    assert str(MIN_IMAGES) in str(found.reason)


def test_scores_alone_will_do():
    rng = np.random.default_rng(5)
    first, second = rng.beta(6, 2, 100), rng.beta(6, 2, 100)
    found = measure_drift(Sample(first), Sample(second))
    assert found.features is None
    assert found.value == found.confidence


def test_the_index_is_what_the_book_says():
    # All of the recent ones in the reference's lowest of two bins, half a count added to each.
    index, num_bins = population_stability_index(np.array([0.0] * 95 + [1.0] * 5), np.array([0.0] * 100))
    p, q = np.array([95.5, 5.5]) / 101, np.array([100.5, 0.5]) / 101
    assert num_bins == 2
    assert index == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


def test_features_of_two_backbones_are_refused():
    with pytest.raises(ValueError, match="one backbone"):
        measure_drift(Sample(None, np.ones((60, 3))), Sample(None, np.ones((60, 4))))
