"""What is worth a look: images that a model hesitates about, and images unlike each other."""

import numpy as np
import pytest

from core.types import Strategy
from workers.ml.selection import (
    MAX_COMPARED,
    Answers,
    draw_by_gradient,
    entropy,
    limit_per_class,
    select_images,
    spread,
    uncertainty,
)


def answers(best: np.ndarray) -> Answers:
    """Of two classes, the first is best with this probability."""
    return Answers(np.tile([0, 1], (len(best), 1)), np.stack([best, 1 - best], axis=1), 2)


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
        return select_images(strategy, answers(best), features, features[:20], count=30, seed=seed)

    assert choose(3) == choose(3)
    assert len(set(choose(3))) == 30


def test_mixed_takes_uncertain_images_that_are_unlike_each_other():
    rng = np.random.default_rng(2)
    # Of three hundred, twenty are uncertain copies of one image, eighty uncertain and different, the others certain.
    features = np.concatenate([np.tile(rng.normal(size=(1, 16)), (20, 1)), rng.normal(size=(280, 16))])
    best = np.concatenate([np.full(100, 0.52), np.full(200, 0.99)])
    mixed = select_images(Strategy.MIXED, answers(best), features, None, count=20, seed=0)
    assert sum(position < 20 for position in mixed) <= 2
    assert sum(position < 100 for position in mixed) >= 18


def test_gradients_of_copies_are_drawn_last():
    probabilities, features = np.full((6, 2), 0.5), np.repeat(np.eye(3), 2, axis=0)
    drawn = draw_by_gradient(probabilities, features, np.random.default_rng(0), count=10)
    assert sorted(drawn) == list(range(6))
    assert sorted(position // 2 for position in drawn[:3]) == [0, 1, 2]


def test_probabilities_are_those_that_were_kept_and_an_even_share_of_the_rest():
    kept = Answers(np.array([[2, 0]]), np.array([[0.6, 0.2]]), 4)
    assert kept.probabilities(np.array([0]))[0] == pytest.approx([0.2, 0.1, 0.6, 0.1])


def test_strategies_that_compare_images_need_features_and_the_others_do_not():
    said = answers(np.array([0.9, 0.6]))
    assert select_images(Strategy.UNCERTAIN, said, None, None, count=1, seed=0) == [1]
    with pytest.raises(ValueError, match="without features"):
        select_images(Strategy.MIXED, said, None, None, count=1, seed=0)


def test_of_one_class_not_more_are_taken_than_asked():
    answered = np.array([0, 0, 0, 1, 1, 2])
    assert limit_per_class([0, 1, 2, 3, 4, 5], answered, per_class=1, count=10) == [0, 3, 5]
    assert limit_per_class([0, 1, 2, 3, 4, 5], answered, per_class=2, count=3) == [0, 1, 3]


def test_a_million_images_are_chosen_from_without_comparing_all_of_them():
    number = 10 * MAX_COMPARED
    features = np.random.default_rng(3).normal(size=(number, 4)).astype(np.float32)
    chosen = select_images(Strategy.DIVERSE, answers(np.full(number, 0.7)), features, None, count=5, seed=0)
    assert len(set(chosen)) == 5
