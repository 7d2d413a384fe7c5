"""Which images are worth a human look: those that a model hesitates about, and those unlike what is labelled.

Works on scores and feature vectors, in two steps: of a million images the scores fit in memory and the features do not.
It must not know where images are or what has been looked at before.
"""

from dataclasses import dataclass

import numpy as np

from core.types import Strategy

# Comparing images costs candidates times chosen. These, all of them chosen, take twenty seconds.
MAX_COMPARED = 5_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    strategy: Strategy
    count: int
    per_class: int | None = None  # at most so many that the model calls the same; None: as many as there are


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a model says of N images: its best K classes of C."""

    indices: np.ndarray  # (N, K) int, best first
    scores: np.ndarray  # (N, K) float in [0, 1], their probabilities
    num_classes: int  # C; what the best K leave is spread evenly over the others

    def take(self, positions: np.ndarray) -> "Answers":
        """Those for some of the images."""
        return Answers(self.indices[positions], self.scores[positions], self.num_classes)

    def probabilities(self) -> np.ndarray:
        """The probabilities of all classes, (N, C) float64."""
        num_rest = self.num_classes - self.scores.shape[1]
        rest = np.clip(1.0 - self.scores.sum(axis=1), 0.0, 1.0) / max(num_rest, 1)
        full = np.repeat(rest[:, np.newaxis], self.num_classes, axis=1)
        np.put_along_axis(full, self.indices, self.scores, axis=1)
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


def preselect(answers: Answers, wanted: Wanted, rng: np.random.Generator) -> np.ndarray:
    """Choose images by what is said of them: those that are wanted, or those whose features are worth comparing.

    Of more than `MAX_COMPARED`, `mixed` compares the most uncertain, as it would take few of the others, and `diverse`
    any, as nothing that is said tells what is far away. Under a limit per class each class keeps its part of them.

    Args:
        answers: to N images.
        wanted: what is asked for.
        rng: decides what is random, and between images that are equally uncertain.

    Returns:
        (M,) int, positions, the most telling first.
    """
    hesitation = uncertainty(answers.scores, answers.num_classes)
    ranked = rng.permutation(len(hesitation))
    if wanted.strategy in (Strategy.UNCERTAIN, Strategy.MIXED):
        ranked = ranked[np.argsort(-hesitation[ranked], kind="stable")]
    called = answers.indices[ranked, 0]
    if not wanted.strategy.compares:
        return _first_of_each(ranked, called, wanted.per_class)[: wanted.count]
    if wanted.per_class is not None and len(ranked) > MAX_COMPARED:
        part = MAX_COMPARED // len(np.unique(called))
        ranked = _first_of_each(ranked, called, max(part, wanted.per_class))
    return ranked[:MAX_COMPARED]


def compare(
    answers: Answers, features: np.ndarray, labelled: np.ndarray | None, wanted: Wanted, rng: np.random.Generator
) -> list[int]:
    """Choose among images that were preselected, by their features too.

    Args:
        answers: to M images.
        features: (M, F) float.
        labelled: (L, F) float, of images that are labelled; None: none are kept.
        wanted: what is asked for; its strategy is one that compares.
        rng: draws.

    Returns:
        Positions, the most telling first; as many as wanted, or as there are.
    """
    room = _Room(answers.indices[:, 0], wanted)
    if wanted.strategy is Strategy.DIVERSE:
        return spread(features, labelled, room)
    return draw_by_gradient(answers.probabilities(), features, room, rng)


class _Room:
    """Which images may still be chosen.

    Args:
        called: (N,) int, what each image was called.
        wanted: how many, and how many of one class.
    """

    def __init__(self, called: np.ndarray, wanted: Wanted) -> None:
        self._called = called
        self._wanted = wanted
        self.is_open = np.ones(len(called), bool)  # read by those who choose
        self.chosen: list[int] = []

    @property
    def is_left(self) -> bool:
        """Whether one more is wanted and there."""
        return len(self.chosen) < self._wanted.count and bool(self.is_open.any())

    def take(self, position: int) -> None:
        """Choose an image."""
        self.chosen.append(position)
        self.is_open[position] = False
        same = self._called == self._called[position]
        if self._wanted.per_class is not None and same[self.chosen].sum() >= self._wanted.per_class:
            self.is_open &= ~same


def draw_by_gradient(
    probabilities: np.ndarray, features: np.ndarray, room: _Room, rng: np.random.Generator
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
        room: which may be drawn.
        rng: draws.

    Returns:
        Positions, in the order in which they were drawn.
    """
    lacks = probabilities.copy()
    lacks[np.arange(len(lacks)), probabilities.argmax(axis=1)] -= 1.0
    points = features.astype(np.float64)
    # Of products of two vectors, lengths and distances follow from those of the vectors.
    squares = (lacks**2).sum(axis=1) * (points**2).sum(axis=1)
    nearest = np.full(len(squares), np.inf)
    while room.is_left:
        if room.chosen:
            last = room.chosen[-1]
            products = (lacks @ lacks[last]) * (points @ points[last])
            nearest = np.minimum(nearest, np.clip(squares + squares[last] - 2 * products, 0.0, None))
            weights = np.where(room.is_open, nearest, 0.0)
            total = weights.sum()
            # If all that is left are copies of what was drawn, any will do.
            room.take(int(rng.choice(len(weights), p=weights / total) if total > 0 else room.is_open.argmax()))
        else:
            room.take(int(squares.argmax()))
    return room.chosen


def spread(features: np.ndarray, labelled: np.ndarray | None, room: _Room) -> list[int]:
    """Choose images that are far from those that are labelled and from each other: the greedy k-center.

    Source: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018.

    Args:
        features: (N, F) float.
        labelled: (M, F) float; None or none: the first is the one nearest to the mean of all.
        room: which may be chosen.

    Returns:
        Positions, the farthest first.
    """
    points = _unit(features)
    # Of unit vectors, 2 - 2 cos: the square of the distance.
    nearest = np.full(len(points), np.inf)
    if labelled is not None and len(labelled):
        known = _unit(labelled)
        for first in range(0, len(known), 1000):
            nearest = np.minimum(nearest, (2 - 2 * points @ known[first : first + 1000].T).min(axis=1))
    elif room.is_left:
        # Nothing is labelled: begin in the middle.
        room.take(int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin()))
        nearest = 2 - 2 * points @ points[room.chosen[0]]
    while room.is_left:
        at = int(np.where(room.is_open, nearest, -np.inf).argmax())
        room.take(at)
        nearest = np.minimum(nearest, 2 - 2 * points @ points[at])
    return room.chosen


def _first_of_each(ranked: np.ndarray, called: np.ndarray, limit: int | None) -> np.ndarray:
    """Take positions (N,) in their order, but of what was called one class not more than so many."""
    if limit is None:
        return ranked
    by_class = np.argsort(called, kind="stable")
    _, starts, counts = np.unique(called[by_class], return_index=True, return_counts=True)
    ranks = np.empty(len(ranked), np.int64)
    ranks[by_class] = np.arange(len(ranked)) - np.repeat(starts, counts)
    return ranked[ranks < limit]


def _x_log_x(values: np.ndarray) -> np.ndarray:
    # Of 0 it is 0, as its limit is.
    product: np.ndarray = values * np.log(np.where(values > 0, values, 1.0))
    return product


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(lengths > 0, lengths, 1.0)
    return scaled
