"""Drift is found where images change, and not where they do not."""

import numpy as np
import pytest

from workers.ml.drift import (
    MAX_ROWS,
    MIN_IMAGES,
    Sample,
    expected_largest,
    measure_drift,
    population_stability_index,
)

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


@pytest.mark.parametrize(("number", "most"), [(50, 0.2), (100, 0.1), (200, 0.02)])
def test_false_alarms_are_about_as_rare_as_the_docstring_says(number: int, most: float):
    rng = np.random.default_rng(11)
    values = [measure_drift(sample(rng, number), sample(rng, number)).value for _ in range(200)]
    assert np.mean([value is not None and value > LIMIT for value in values]) < most


def test_without_drift_each_part_is_nothing_on_average_whatever_the_number_of_images():
    rng = np.random.default_rng(12)
    for number in (100, 400):
        found = [measure_drift(sample(rng, number), sample(rng, number)) for _ in range(100)]
        assert np.mean([drift.confidence for drift in found]) == pytest.approx(0, abs=0.03)
        assert np.mean([drift.features for drift in found]) == pytest.approx(0, abs=0.03)


def test_few_images_with_many_features_do_not_seem_to_drift():
    # Components of the reference alone fit these sixty far better than any others.
    rng = np.random.default_rng(13)
    found = [measure_drift(*(Sample(features=rng.normal(size=(60, 640))) for _ in range(2))).value for _ in range(8)]
    assert np.mean(found) < 0.1


def test_what_the_largest_of_several_is_expected_to_be_is_what_drawing_them_gives():
    drawn = np.random.default_rng(14).chisquare(9, size=(20_000, 8))
    assert expected_largest(8, 10) == pytest.approx(drawn.max(axis=1).mean(), rel=0.01)
    assert expected_largest(1, 10) == pytest.approx(9, rel=1e-3)


def test_scores_that_are_mostly_the_same_make_fewer_bins():
    certain = np.concatenate([np.ones(90), np.linspace(0.5, 0.9, 10)])
    assert population_stability_index(certain, certain) == (0.0, 2)


def test_images_that_are_all_the_same_drift():
    rng = np.random.default_rng(15)
    same = Sample(features=np.repeat(rng.normal(size=(1, 64)), 100, axis=0))
    assert (measure_drift(sample(rng, 100), same).value or 0.0) > 0.5


def test_of_very_many_images_some_are_taken_by_the_seed():
    rng = np.random.default_rng(16)
    reference, recent = sample(rng, 2 * MAX_ROWS), sample(rng, 100)
    first, same, other = (measure_drift(reference, recent, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other
    assert first.value == pytest.approx(other.value, abs=0.1)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        measure_drift(Sample(confidences=np.full(60, np.nan)), Sample(confidences=np.zeros(60)))
