"""How good a model's answers are: counts and shares of one dataset, as plain frozen values.

Works from true classes and the best few answers per image, which is what SQL keeps; it must not know which model or
which store they come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np

from core.errors import DatasetError

MAX_TOP_K = 5
# Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, table 1.
NUM_BINS = 15
# Models with more classes are described by the classes that occur.
MAX_CLASSES_IN_FULL = 100
# Of a normal distribution, for 95% intervals.
_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fared."""

    index: int  # among the model's classes
    label: str
    precision: float  # of the images that were called this, the share that are; 0 where none was
    recall: float  # of the images that are this, the share that was found; 0, and without meaning, where there is none
    f1: float  # harmonic mean of the two
    support: int  # images that are this


@dataclass(frozen=True, slots=True)
class MacroFigures:
    """Averages in which each class that has images counts the same.

    What a class without images would score is unknown; a zero or a one in its place would say more of the dataset than
    of the model. A class that has images but was never answered counts with precision 0.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The images whose first answer has a score in one range."""

    lower: float  # exclusive, but 0 is in the first
    upper: float  # inclusive
    num_images: int
    mean_score: float | None  # None: no image is in it
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did on labelled images."""

    num_images: int
    accuracy: float  # 0..1, as all shares here
    top_k: tuple[float, ...]  # [k - 1]: the share whose true class is among the best k answers
    macro: MacroFigures
    ece: float  # expected calibration error: by how much scores miss accuracy, on average over images
    classes: tuple[ClassFigures, ...]  # all, or of a model with very many only those that occur or were answered
    confusion: tuple[tuple[int, ...], ...]  # rows: true, columns: first answer; both in the order of `classes`
    bins: tuple[Bin, ...]  # what the calibration error was computed from

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Where the accuracy on further images like these is to be expected, with 95% confidence.

        Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
        """
        share = _Z_95**2 / self.num_images
        centre = (self.accuracy + share / 2) / (1 + share)
        spread = sqrt(share * self.accuracy * (1 - self.accuracy) + share**2 / 4) / (1 + share)
        return max(0.0, centre - spread), min(1.0, centre + spread)

    @property
    def majority_share(self) -> float:
        """The accuracy of a model that always answers the most frequent class."""
        return max(figures.support for figures in self.classes) / self.num_images

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Evaluation":
        """Read what `to_json` wrote."""
        parts = {
            "top_k": tuple(values["top_k"]),
            "macro": MacroFigures(**values["macro"]),
            "classes": tuple(ClassFigures(**figures) for figures in values["classes"]),
            "confusion": tuple(tuple(row) for row in values["confusion"]),
            "bins": tuple(Bin(**values_of_bin) for values_of_bin in values["bins"]),
        }
        return cls(**{**values, **parts})


def evaluate(true: np.ndarray, top_indices: np.ndarray, top_scores: np.ndarray, classes: Sequence[str]) -> Evaluation:
    """Measure a model's answers.

    Args:
        true: (N,) int, class indices.
        top_indices: (N, K) int, class indices, best first.
        top_scores: (N, K) float32 in [0, 1].
        classes: what all C classes are called, by class index; C may exceed K.

    Raises:
        DatasetError: there is no image.
        ValueError: the shapes do not fit each other, or an index is no class.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support  # noqa: PLC0415 - takes a second

    _check(true, top_indices, top_scores, len(classes))
    predicted = top_indices[:, 0]
    shown = np.arange(len(classes))
    if len(classes) > MAX_CLASSES_IN_FULL:
        shown = np.union1d(true, predicted)
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted, labels=shown, zero_division=0)
    confusion = confusion_matrix(true, predicted, labels=shown)
    bins = _bins(top_scores[:, 0], predicted == true)
    return Evaluation(
        num_images=len(true),
        accuracy=float((predicted == true).mean()),
        top_k=_top_k_accuracies(true, top_indices, len(classes)),
        macro=MacroFigures(*(float(figure[support > 0].mean()) for figure in (precision, recall, f1))),
        ece=_calibration_error(bins, len(true)),
        classes=tuple(
            ClassFigures(int(index), classes[int(index)], *figures)
            for index, *figures in zip(
                shown, precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True
            )
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        bins=bins,
    )


def mcnemar_p(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """How likely a difference at least as large is between two models that are equally good.

    The exact test: of the images that one model alone has right, each model should have about half.
    Source: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.

    Args:
        right_a: (N,) bool, whether the first model has each image right.
        right_b: (N,) bool, the second model, in the same order.

    Raises:
        ValueError: the two are not of the same images.
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a second

    if right_a.shape != right_b.shape:
        raise ValueError(f"Expected answers to the same images, received {right_a.shape} and {right_b.shape}.")
    num_only_a, num_only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    num_discordant = num_only_a + num_only_b
    return float(binomtest(num_only_a, num_discordant).pvalue) if num_discordant else 1.0


def _check(true: np.ndarray, top_indices: np.ndarray, top_scores: np.ndarray, num_classes: int) -> None:
    if not len(true):
        raise DatasetError("There is no image to measure on: received 0, expected 1 or more that can be read.")
    is_flat = true.ndim == 1 and top_indices.ndim == 2  # noqa: PLR2004 - the axes N and K
    if not is_flat or top_indices.shape != top_scores.shape or len(top_indices) != len(true):
        raise ValueError(
            "Evaluation: expected classes (N,), answers (N, K) and scores (N, K), "
            f"received {true.shape}, {top_indices.shape} and {top_scores.shape}."
        )
    for name, indices in (("true", true), ("answered", top_indices)):
        if indices.min() < 0 or indices.max() >= num_classes:
            raise ValueError(
                f"Evaluation: expected {name} classes from 0 to {num_classes - 1}, "
                f"received {indices.min()} to {indices.max()}."
            )


def _top_k_accuracies(true: np.ndarray, top_indices: np.ndarray, num_classes: int) -> tuple[float, ...]:
    hits = top_indices[:, : min(MAX_TOP_K, num_classes)] == true[:, np.newaxis]
    return tuple(hits.cumsum(axis=1).astype(bool).mean(axis=0).tolist())


def _bins(scores: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Sort images into ranges of equal width by the score of their first answer."""
    edges = np.linspace(0.0, 1.0, NUM_BINS + 1)
    # Scores are compared as they were stored: 0.8 as float32 is a little more than 0.8, and would move up a bin.
    places = np.digitize(scores, edges[1:-1].astype(scores.dtype), right=True)
    members = [places == place for place in range(NUM_BINS)]
    return tuple(
        Bin(
            lower=float(lower),
            upper=float(upper),
            num_images=int(inside.sum()),
            mean_score=float(scores[inside].mean(dtype=np.float64)) if inside.any() else None,
            accuracy=float(right[inside].mean()) if inside.any() else None,
        )
        for inside, lower, upper in zip(members, edges[:-1], edges[1:], strict=True)
    )


def _calibration_error(bins: Sequence[Bin], num_images: int) -> float:
    gaps = (
        bin_.num_images * abs(bin_.accuracy - bin_.mean_score)
        for bin_ in bins
        if bin_.accuracy is not None and bin_.mean_score is not None
    )
    return sum(gaps) / num_images
