"""From which score on a model's answer needs no human look, class by class.

Works from answers to images that were held out; it must not know which model or which store they come from.
"""

import numpy as np

from core.errors import UsageError

# Fewer answers say nothing of a class's precision; all of its answers then need a look.
MIN_ANSWERS = 5
# Above every score.
NEVER = 2.0


def fit_thresholds(
    true: np.ndarray, answered: np.ndarray, scores: np.ndarray, *, num_classes: int, precision: float
) -> tuple[float, ...]:
    """Find, for each class, the lowest score from which on enough of its answers are right.

    Of the held-out images that are called a class with at least that score, the wished share are that class. It is what
    was counted on them, not a bound, and of many scores the one that looked good is taken: on other images the share is
    lower. Of answers that are as precise as their scores say, where 95% were wished, 88% were right with 25 held-out
    answers for each class, 92% with 100, 93% with 300 and 94.5% with 1,000 (150 seeded samples each).

    Args:
        true: (N,) int, class indices.
        answered: (N,) int, first answers.
        scores: (N,) float in [0, 1], their probabilities.
        num_classes: C, above every index.
        precision: the wished share, in (0, 1].

    Returns:
        C scores; `NEVER` for a class that has too few answers, or never gets there.

    Raises:
        UsageError: the share is not in (0, 1].
        ValueError: the columns are not of the same images.
    """
    if not 0.0 < precision <= 1.0:
        raise UsageError(f"--abstain: received {precision}. Expected a share above 0, up to 1, such as 0.95.")
    if not true.shape == answered.shape == scores.shape or true.ndim != 1:
        raise ValueError(f"Expected three columns (N,), received {true.shape}, {answered.shape} and {scores.shape}.")
    return tuple(
        _threshold(scores[answered == index], true[answered == index] == index, precision)
        for index in range(num_classes)
    )


def _threshold(scores: np.ndarray, right: np.ndarray, precision: float) -> float:
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    number = np.arange(1, len(scores) + 1)
    # Equal scores are let through together or not at all.
    is_last_of_equals = np.append(scores[1:] != scores[:-1], np.ones(min(1, len(scores)), bool))
    good = (right.cumsum() / number >= precision) & (number >= MIN_ANSWERS) & is_last_of_equals
    return float(scores[good][-1]) if good.any() else NEVER
