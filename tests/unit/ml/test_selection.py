"""What is worth a look: images that a model hesitates about, and images unlike each other."""

import numpy as np
import pytest

from core.types import Strategy
from workers.ml.selection import (
    MAX_COMPARED,
    Answers,
    Wanted,
    compare,
    entropy,
    preselect,
    uncertainty,
)


def answers(best: np.ndarray) -> Answers:
    """Of two classes, the first is best with this probability."""
    return Answers(np.tile([0, 1], (len(best), 1)), np.stack([best, 1 - best], axis=1), 2)


def choose_images(wanted, said, features, *, labelled=None, seed=0):
    """Choose in both steps."""
    rng = np.random.default_rng(seed)
    positions = preselect(said, wanted, rng)
    if wanted.strategy.compares:
        positions = positions[compare(said.take(positions), features[positions], labelled, wanted, rng)]
    return positions.tolist()


def spread(features, labelled, *, count):
    said = answers(np.full(len(features), 0.7))
    return compare(said, features, labelled, Wanted(Strategy.DIVERSE, count), np.random.default_rng(0))


def test_a_small_margin_is_more_uncertain_than_a_large_one():
    scores = np.array([[0.51, 0.49], [0.9, 0.1], [0.6, 0.4], [1.0, 0.0]])
    assert np.argsort(-uncertainty(scores, 2)).tolist() == [0, 2, 1, 3]
    assert uncertainty(scores, 2)[3] == pytest.approx(0.0, abs=1e-5)


def test_of_equal_margins_the_higher_entropy_is_more_uncertain():
    scores = np.array([[0.5, 0.4, 0.1], [0.3, 0.2, 0.2]])
    first, second = uncertainty(scores, 5)
    assert second > first


def test_entropy_spreads_what_the_best_classes_leave_over_the_others():
    even = np.full((1, 4), 0.25)
    assert entropy(even, 4)[0] == pytest.approx(1.0)
    assert entropy(even[:, :2], 4)[0] == pytest.approx(1.0)
    assert entropy(np.array([[1.0, 0.0]]), 4)[0] == pytest.approx(0.0)


def test_images_that_are_spread_out_come_from_all_corners_and_not_from_what_is_labelled():
    rng = np.random.default_rng(0)
    corners = np.eye(4) * 10
    features = np.concatenate([corner + rng.normal(0, 0.1, (50, 4)) for corner in corners])
    chosen = spread(features, features[:10], count=3)
    assert sorted(position // 50 for position in chosen) == [1, 2, 3]


def test_without_anything_labelled_the_first_is_in_the_middle():
    features = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert spread(features, None, count=3)[0] == 1
    assert sorted(spread(features, None, count=10)) == [0, 1, 2]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_choice_is_the_same_for_a_seed_has_no_image_twice_and_is_as_large_as_asked(strategy: Strategy):
    rng = np.random.default_rng(1)
    best, features = rng.uniform(0.5, 1.0, 300), rng.normal(size=(300, 8))

    def choose(seed: int) -> list[int]:
        return choose_images(Wanted(strategy, 30), answers(best), features, labelled=features[:20], seed=seed)

    assert choose(3) == choose(3)
    assert len(set(choose(3))) == 30


def test_mixed_takes_uncertain_images_that_are_unlike_each_other():
    rng = np.random.default_rng(2)
    # Of three hundred, twenty are uncertain copies of one image, eighty uncertain and different, the others certain.
    features = np.concatenate([np.tile(rng.normal(size=(1, 16)), (20, 1)), rng.normal(size=(280, 16))])
    best = np.concatenate([np.full(100, 0.52), np.full(200, 0.99)])
    mixed = choose_images(Wanted(Strategy.MIXED, 20), answers(best), features)
    assert sum(position < 20 for position in mixed) <= 2
    assert sum(position < 100 for position in mixed) >= 18


def test_gradients_of_copies_are_drawn_last():
    said, features = answers(np.full(6, 0.5)), np.repeat(np.eye(3), 2, axis=0)
    drawn = compare(said, features, None, Wanted(Strategy.MIXED, 10), np.random.default_rng(0))
    assert sorted(drawn) == list(range(6))
    assert sorted(position // 2 for position in drawn[:3]) == [0, 1, 2]


def test_probabilities_are_those_that_were_kept_and_an_even_share_of_the_rest():
    kept = Answers(np.array([[2, 0]]), np.array([[0.6, 0.2]]), 4)
    assert kept.probabilities()[0] == pytest.approx([0.2, 0.1, 0.6, 0.1])


def test_only_strategies_that_compare_images_need_features():
    said = answers(np.array([0.9, 0.6]))
    assert choose_images(Wanted(Strategy.UNCERTAIN, 1), said, None) == [1]
    assert len(choose_images(Wanted(Strategy.RANDOM, 2), said, None)) == 2


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("per_class", [1, 7])
def test_of_one_class_not_more_are_taken_than_asked(strategy: Strategy, per_class: int):
    rng = np.random.default_rng(4)
    called = rng.integers(3, size=(200, 1))
    said = Answers(called, rng.uniform(0.4, 1, (200, 1)), 3)
    chosen = choose_images(Wanted(strategy, 50, per_class), said, rng.normal(size=(200, 4)))
    assert np.bincount(called[chosen, 0]).tolist() == [per_class] * 3
    assert len(set(chosen)) == len(chosen)


def test_under_a_limit_mixed_still_takes_uncertain_images():
    rng = np.random.default_rng(5)
    best = np.concatenate([np.full(50, 0.52), np.full(450, 0.999)])
    said = Answers(np.stack([np.arange(500) % 2, 1 - np.arange(500) % 2], axis=1), answers(best).scores, 2)
    chosen = choose_images(Wanted(Strategy.MIXED, 20, per_class=10), said, rng.normal(size=(500, 16)))
    assert sum(position < 50 for position in chosen) >= 18


def test_of_a_million_images_few_are_compared_and_by_mixed_the_most_uncertain():
    rng = np.random.default_rng(3)
    best = rng.uniform(0.5, 1, 1_000_000)
    kept = preselect(answers(best), Wanted(Strategy.MIXED, 20), rng)
    assert len(kept) == MAX_COMPARED
    assert best[kept].max() <= np.partition(best, MAX_COMPARED)[MAX_COMPARED]
    assert len(preselect(answers(best), Wanted(Strategy.DIVERSE, 20), rng)) == MAX_COMPARED


def test_under_a_limit_a_rare_class_is_compared_too():
    rng = np.random.default_rng(6)
    # The rare class is the one that the model is sure of.
    called = np.repeat([0, 1], [20_000, 50])
    best = np.where(called == 0, 0.5, 0.9)
    said = Answers(np.stack([called, 1 - called], axis=1), answers(best).scores, 2)
    kept = preselect(said, Wanted(Strategy.MIXED, 20, per_class=10), rng)
    assert (called[kept] == 1).sum() == 50
