import json

import numpy as np
import pytest

from core.errors import DatasetError
from workers.ml.bootstrap import FIGURE_NAMES, PairedFigures, compare_paired
from workers.ml.evaluation import evaluate


def answer(true, *, num_classes, accuracy, rng):
    """Give answers that are right with a probability and otherwise any class."""
    return np.where(rng.random(len(true)) < accuracy, true, rng.integers(num_classes, size=len(true)))


def figures_of(true, answers, num_classes):
    classes = [str(index) for index in range(num_classes)]
    found = evaluate(true, answers[:, np.newaxis], np.ones((len(true), 1), np.float32), classes)
    return (found.accuracy, found.macro.f1, found.macro.precision, found.macro.recall)


def literal_bootstrap(true, champion, challenger, *, num_classes, num_resamples, rng):
    """Draw images again one by one and measure each lot by the function that measures models."""
    differences = []
    for _ in range(num_resamples):
        drawn = rng.integers(len(true), size=len(true))
        ours, theirs = (figures_of(true[drawn], answers[drawn], num_classes) for answers in (champion, challenger))
        differences.append(np.subtract(theirs, ours))
    return np.array(differences)


def test_figures_are_those_of_an_evaluation():
    rng = np.random.default_rng(1)
    true = rng.integers(5, size=300)
    champion, challenger = (answer(true, num_classes=7, accuracy=a, rng=rng) for a in (0.7, 0.8))

    found = compare_paired(true, champion, challenger, num_classes=7, seed=0, num_resamples=10)

    for place, name in enumerate(FIGURE_NAMES):
        figure = getattr(found, name)
        assert figure.champion == pytest.approx(figures_of(true, champion, 7)[place])
        assert figure.challenger == pytest.approx(figures_of(true, challenger, 7)[place])
        assert figure.difference == pytest.approx(figure.challenger - figure.champion)


def test_intervals_and_confidence_are_those_of_drawing_images_one_by_one():
    rng = np.random.default_rng(2)
    true = rng.integers(3, size=80)
    champion, challenger = (answer(true, num_classes=3, accuracy=a, rng=rng) for a in (0.6, 0.7))

    found = compare_paired(true, champion, challenger, num_classes=3, seed=3, num_resamples=4000)

    slow = literal_bootstrap(true, champion, challenger, num_classes=3, num_resamples=400, rng=rng)
    for place, name in enumerate(FIGURE_NAMES):
        figure, differences = getattr(found, name), slow[:, place]
        lower, upper = np.percentile(differences, (2.5, 97.5))
        # 400 literal resamples place the ends of an interval of this width to about a hundredth.
        assert figure.lower == pytest.approx(lower, abs=0.04)
        assert figure.upper == pytest.approx(upper, abs=0.04)
        better = (differences > 1e-12).mean() + (np.abs(differences) <= 1e-12).mean() / 2
        assert figure.confidence == pytest.approx(better, abs=0.06)


def test_intervals_hold_the_true_difference_about_as_often_as_they_say():
    rng = np.random.default_rng(4)
    num_inside = 0
    for seed in range(300):
        true = rng.integers(4, size=200)
        # Right with probability 0.6 + 0.4 / 4 and 0.72 + 0.28 / 4: 0.09 apart.
        champion, challenger = (answer(true, num_classes=4, accuracy=a, rng=rng) for a in (0.6, 0.72))
        found = compare_paired(true, champion, challenger, num_classes=4, seed=seed, num_resamples=300)
        num_inside += found.accuracy.lower <= 0.09 <= found.accuracy.upper

    # 95% of 300 is 285, give or take 3.8; percentile intervals are a little narrow.
    assert 270 <= num_inside <= 297


def test_equal_answers_differ_by_exactly_nothing():
    rng = np.random.default_rng(5)
    true = rng.integers(6, size=500)
    answers = answer(true, num_classes=6, accuracy=0.8, rng=rng)

    found = compare_paired(true, answers, answers.copy(), num_classes=6, seed=6)

    for name in FIGURE_NAMES:
        figure = getattr(found, name)
        assert (figure.difference, figure.lower, figure.upper, figure.confidence) == (0.0, 0.0, 0.0, 0.5)


def test_models_that_are_equally_good_on_other_images_are_undecided():
    true = np.zeros(100, int)
    champion, challenger = np.repeat([0, 1], 50), np.repeat([1, 0], 50)

    found = compare_paired(true, champion, challenger, num_classes=2, seed=7)

    assert found.accuracy.difference == 0.0
    assert found.accuracy.lower < -0.1 < 0.1 < found.accuracy.upper
    assert found.accuracy.confidence == pytest.approx(0.5, abs=0.05)


def test_a_class_that_a_resample_misses_takes_no_part_in_its_averages():
    # The one owl is missed by a third of all resamples; both models are otherwise perfect.
    true = np.array([0] * 10 + [1] * 10 + [2])
    champion, challenger = true.copy(), true.copy()
    champion[-1] = 0

    found = compare_paired(true, champion, challenger, num_classes=3, seed=8, num_resamples=4000)

    assert found.macro_recall.lower == 0.0
    assert found.macro_recall.upper == pytest.approx(1 / 3)
    missed = (20 / 21) ** 21
    assert found.macro_recall.confidence == pytest.approx(1 - missed / 2, abs=0.03)


def test_a_better_model_is_found_better():
    rng = np.random.default_rng(9)
    true = rng.integers(4, size=1000)
    champion, challenger = (answer(true, num_classes=4, accuracy=a, rng=rng) for a in (0.6, 0.8))

    found = compare_paired(true, champion, challenger, num_classes=4, seed=10)

    assert found.macro_f1.lower > 0.05
    assert found.macro_f1.confidence == 1.0


def test_ten_thousand_images_of_a_thousand_classes_fit_in_memory_bounded_blocks():
    rng = np.random.default_rng(11)
    true = rng.integers(1000, size=10_000)
    champion, challenger = (answer(true, num_classes=1000, accuracy=a, rng=rng) for a in (0.6, 0.61))

    found = compare_paired(true, champion, challenger, num_classes=1000, seed=12)

    assert found.num_resamples == 2000
    assert found.accuracy.lower < found.accuracy.difference < found.accuracy.upper


def test_the_seed_decides_everything():
    rng = np.random.default_rng(13)
    true, champion, challenger = (rng.integers(3, size=50) for _ in range(3))

    first, same, other = (
        compare_paired(true, champion, challenger, num_classes=3, seed=seed, num_resamples=100) for seed in (1, 1, 2)
    )

    assert first == same
    assert first != other


def test_json_keeps_every_figure():
    true = np.array([0, 1, 1])

    found = compare_paired(true, np.array([0, 0, 1]), true, num_classes=2, seed=0, num_resamples=20)

    assert PairedFigures.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_no_image_is_refused():
    nothing = np.zeros(0, int)
    with pytest.raises(DatasetError, match="received 0"):
        compare_paired(nothing, nothing, nothing, num_classes=2, seed=0)


@pytest.mark.parametrize(
    ("true", "champion", "challenger"),
    [([0, 1], [0, 1], [0]), ([0, 2], [0, 1], [0, 1]), ([0, 1], [0, -1], [0, 1]), ([0, 1], [0, 1], [0, 2])],
)
def test_columns_that_do_not_fit_are_refused(true, champion, challenger):
    with pytest.raises(ValueError, match="Expected"):
        compare_paired(np.array(true), np.array(champion), np.array(challenger), num_classes=2, seed=0)
