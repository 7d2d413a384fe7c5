"""Which images are worth a human look: those that a model hesitates about, and those unlike what is labelled.

Works on scores and feature vectors; it must not know where images are or what has been looked at before.
"""

from dataclasses import dataclass

import numpy as np

from core.types import Strategy

# Comparing images costs candidates times chosen; of more candidates, as many are drawn, or the most uncertain taken.
MAX_COMPARED = 20_000


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a model says of N images: its best K classes of C."""

    indices: np.ndarray  # (N, K) int, best first
    scores: np.ndarray  # (N, K) float in [0, 1], their probabilities
    num_classes: int  # C; what the best K leave is spread evenly over the others

    def probabilities(self, positions: np.ndarray) -> np.ndarray:
        """The probabilities of all classes for some images, (M, C) float64."""
        indices, scores = self.indices[positions], self.scores[positions]
        num_rest = self.num_classes - scores.shape[1]
        rest = np.clip(1.0 - scores.sum(axis=1), 0.0, 1.0) / num_rest if num_rest > 0 else np.zeros(len(scores))
        full = np.repeat(rest[:, np.newaxis], self.num_classes, axis=1)
        np.put_along_axis(full, indices, scores, axis=1)
        return full


def uncertainty(scores: np.ndarray, num_classes: int) -> np.ndarray:
    """Say how much a model hesitates about each image.

    One less the margin between its two best classes, which is what active learning for many classes is done by; where
    two images have the same margin, the one with the higher entropy hesitates more.

    Source: Scheffer, Decomain and Wrobel, "Active Hidden Markov Models for Information Extraction", 2001.

    Args:
        scores: (N, K) float in [0, 1], the probabilities of the best classes, best first.
        num_classes: C; what the best K leave is spread evenly over the others.

    Returns:
        (N,) float64 in [0, 1]; 1: its two best classes are equal.
    """
    second = scores[:, 1] if scores.shape[1] > 1 else np.zeros(len(scores))
    hesitation: np.ndarray = np.clip(1.0 - (scores[:, 0] - second) + 1e-6 * entropy(scores, num_classes), 0.0, 1.0)
    return hesitation


def entropy(scores: np.ndarray, num_classes: int) -> np.ndarray:
    """Compute the entropy of each image's probabilities, as a share of the largest that C classes can have.

    Args:
        scores: (N, K) float in [0, 1], the probabilities of the best classes, best first.
        num_classes: C; what the best K leave is spread evenly over the others.

    Returns:
        (N,) float64 in [0, 1].
    """
    num_rest = num_classes - scores.shape[1]
    rest = np.clip(1.0 - scores.sum(axis=1), 0.0, 1.0)
    nats = -_x_log_x(scores.astype(np.float64)).sum(axis=1)
    if num_rest > 0:
        nats -= num_rest * _x_log_x(rest / num_rest)
    share: np.ndarray = np.clip(nats / max(np.log(num_classes), np.finfo(float).eps), 0.0, 1.0)
    return share


def select_images(
    strategy: Strategy,
    answers: Answers,
    features: np.ndarray | None,
    labelled: np.ndarray | None,
    *,
    count: int,
    seed: int,
) -> list[int]:
    """Choose images, the most telling first.

    Args:
        strategy: what makes an image telling.
        answers: what the model says of each.
        features: (N, F) float; None: none are kept, and images cannot be compared.
        labelled: (M, F) float, of images that are labelled; None: none are kept.
        count: how many.
        seed: of what is random, and of which images are compared where there are very many.

    Returns:
        Positions, `count` of them or all.

    Raises:
        ValueError: images are to be compared and have no features.
    """
    rng = np.random.default_rng(seed)
    hesitation = uncertainty(answers.scores, answers.num_classes)
    # Among images of one uncertainty, whichever the seed says.
    shuffled = rng.permutation(len(hesitation))
    ranked = shuffled[np.argsort(-hesitation[shuffled], kind="stable")]
    match strategy:
        case Strategy.RANDOM:
            return _positions(shuffled[:count])
        case Strategy.UNCERTAIN:
            return _positions(ranked[:count])
    if features is None:
        raise ValueError(f"{strategy}: images cannot be compared without features.")
    if strategy is Strategy.DIVERSE:
        pool = shuffled[:MAX_COMPARED]
        return _positions(pool[spread(features[pool], labelled, count=count)])
    pool = ranked[:MAX_COMPARED]
    return _positions(pool[draw_by_gradient(answers.probabilities(pool), features[pool], rng, count=count)])


def draw_by_gradient(
    probabilities: np.ndarray, features: np.ndarray, rng: np.random.Generator, *, count: int
) -> list[int]:
    """Draw images that would change the head much, and each in another way.

    If an image showed what the model says, its loss would move the head by the product of what the probabilities lack
    and of its features. That is long where the model hesitates, and points elsewhere for images unlike each other.
    Images are drawn as the first centres of k-means++ are: the longest first, then each by the square of its distance
    to the nearest of those drawn.

    Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds" (BADGE), ICLR 2020.

    Args:
        probabilities: (N, C) float.
        features: (N, F) float.
        rng: draws.
        count: how many.

    Returns:
        Positions; `count` of them or all.
    """
    lacks = probabilities.copy()
    lacks[np.arange(len(lacks)), probabilities.argmax(axis=1)] -= 1.0
    points = features.astype(np.float64)
    # Of products of two vectors, lengths and distances follow from those of the vectors.
    squares = (lacks**2).sum(axis=1) * (points**2).sum(axis=1)
    chosen = [int(squares.argmax())]
    nearest = np.full(len(squares), np.inf)
    while len(chosen) < min(count, len(squares)):
        last = chosen[-1]
        products = (lacks @ lacks[last]) * (points @ points[last])
        nearest = np.minimum(nearest, np.clip(squares + squares[last] - 2 * products, 0.0, None))
        nearest[chosen] = 0.0
        total = nearest.sum()
        if total > 0:
            chosen.append(int(rng.choice(len(nearest), p=nearest / total)))
        else:
            # All that is left are copies of what was drawn.
            chosen.append(int(np.setdiff1d(np.arange(len(nearest)), chosen)[0]))
    return chosen


def spread(features: np.ndarray, labelled: np.ndarray | None, *, count: int) -> list[int]:
    """Choose images that are far from those that are labelled and from each other: the greedy k-center.

    Source: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018.

    Args:
        features: (N, F) float.
        labelled: (M, F) float; None or none: the first is the one nearest to the mean of all.
        count: how many.

    Returns:
        Positions, the farthest first; `count` of them or all.
    """
    points = _unit(features)
    # Of unit vectors, 2 - 2 cos: the square of the distance.
    nearest = np.full(len(points), np.inf)
    if labelled is not None and len(labelled):
        known = _unit(labelled)
        for first in range(0, len(known), 1000):
            nearest = np.minimum(nearest, (2 - 2 * points @ known[first : first + 1000].T).min(axis=1))
    if np.isinf(nearest).all():
        # Nothing is labelled: begin in the middle.
        nearest = 4.0 - ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        at = int(nearest.argmax())
        chosen.append(at)
        nearest = np.minimum(nearest, 2 - 2 * points @ points[at])
        nearest[chosen] = -np.inf
    return chosen


def limit_per_class(order: list[int], answered: np.ndarray, *, per_class: int, count: int) -> list[int]:
    """Take images in their order, but of what was called one class not more than so many.

    Args:
        order: positions, the most telling first.
        answered: (N,) int, what each image was called.
        per_class: how many of one class at most.
        count: how many in all.
    """
    taken: dict[int, int] = {}
    chosen: list[int] = []
    for position in order:
        called = int(answered[position])
        if taken.get(called, 0) < per_class and len(chosen) < count:
            taken[called] = taken.get(called, 0) + 1
            chosen.append(position)
    return chosen


def _x_log_x(values: np.ndarray) -> np.ndarray:
    # Of 0 it is 0, as its limit is.
    product: np.ndarray = values * np.log(np.where(values > 0, values, 1.0))
    return product


def _positions(chosen: np.ndarray) -> list[int]:
    return [int(position) for position in chosen]


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(lengths > 0, lengths, 1.0)
    return scaled
