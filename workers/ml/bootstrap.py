"""Whether one model is better than another by more than the choice of test images: the paired bootstrap.

Both models answered the same images, so images are drawn again in pairs: an image that is hard for both is then no
evidence for either. It works from class indices alone, and must not know which model is which, what a rule makes of
the figures, or how answers were stored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from core.errors import DatasetError

# Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3: percentile intervals want a
# thousand resamples or more, because they rest on few of them.
NUM_RESAMPLES = 2000
# The ends of 95% intervals.
_PERCENTILES = (2.5, 97.5)
# Counts that are held at once; bounds memory to about 100 MB whatever the number of images.
_MAX_COUNTS = 4_000_000
# Averages of the same shares in another order differ by less; they are ties, not a better model.
_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """One figure of two models, and how sure their difference is."""

    champion: float  # on the images as they are, 0..1
    challenger: float
    difference: float  # challenger - champion
    lower: float  # of the difference, 95% percentile interval
    upper: float
    confidence: float  # share of resamples in which the challenger is better; ties count half


@dataclass(frozen=True, slots=True)
class PairedFigures:
    """What two models that answered the same images differ in."""

    num_images: int
    num_resamples: int
    seed: int
    accuracy: PairedFigure
    macro_f1: PairedFigure  # as `workers.ml.evaluation.MacroFigures`: over the classes that have images
    macro_precision: PairedFigure
    macro_recall: PairedFigure

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PairedFigures":
        """Read what `to_json` wrote."""
        figures = {name: PairedFigure(**values[name]) for name in FIGURE_NAMES}
        return cls(**{**values, **figures})


# In the order in which they are computed.
FIGURE_NAMES = ("accuracy", "macro_f1", "macro_precision", "macro_recall")


@dataclass(frozen=True, slots=True)
class _Cells:
    """The images by what they are and what both models said: images of one cell cannot be told apart by any figure."""

    counts: np.ndarray  # (M,) int64, images in each cell
    of_class: csr_array  # (C, M), 1 where a cell's images are of a class
    of_answer: tuple[csr_array, csr_array]  # champion's and challenger's, as `of_class`
    of_hit: tuple[csr_array, csr_array]  # where a cell's images are of the class and were called that


def compare_paired(
    true: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    *,
    num_classes: int,
    seed: int,
    num_resamples: int = NUM_RESAMPLES,
) -> PairedFigures:
    """Compare two models' answers to the same images.

    Drawing N images again with replacement is drawing, for each cell (true, champion's, challenger's answer), how many
    of its images come: a multinomial draw. So the work grows with what can be told apart, not with N.
    In a resample that has no image of a class, that class takes no part in the averages, as in any other test set.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3, for percentile intervals;
    Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004, section 3.2, for the share
    of resamples in which one system is better.

    Args:
        true: (N,) int, class indices.
        champion: (N,) int, the first answers of the model that is there.
        challenger: (N,) int, those of the one that would replace it, in the same order.
        num_classes: above every index.
        seed: of the resamples.
        num_resamples: how often images are drawn again.

    Raises:
        DatasetError: there is no image.
        ValueError: the columns are not of the same images, or an index is no class.
    """
    _check((true, champion, challenger), num_classes)
    if num_resamples < 1:
        raise ValueError(f"num_resamples: expected 1 or more, received {num_resamples}.")
    cells = _count_cells(true, champion, challenger, num_classes)
    observed = _figures(cells, cells.counts[:, np.newaxis])[..., 0]
    drawn = np.concatenate([_figures(cells, counts) for counts in _draw(cells, num_resamples, seed)], axis=2)
    return PairedFigures(
        num_images=len(true),
        num_resamples=num_resamples,
        seed=seed,
        **{name: _pair(observed[:, row], drawn[:, row]) for row, name in enumerate(FIGURE_NAMES)},
    )


def _check(columns: tuple[np.ndarray, np.ndarray, np.ndarray], num_classes: int) -> None:
    shapes = [column.shape for column in columns]
    if len(set(shapes)) > 1 or columns[0].ndim != 1:
        raise ValueError(f"Expected classes and two models' answers to the same images, (N,) each, received {shapes}.")
    if not len(columns[0]):
        raise DatasetError("There is no image to compare on: received 0, expected 1 or more that both models answered.")
    for name, column in zip(("true", "champion's", "challenger's"), columns, strict=True):
        if column.min() < 0 or column.max() >= num_classes:
            raise ValueError(
                f"Expected {name} classes from 0 to {num_classes - 1}, received {column.min()} to {column.max()}."
            )


def _count_cells(true: np.ndarray, champion: np.ndarray, challenger: np.ndarray, num_classes: int) -> _Cells:
    cells, counts = np.unique(np.stack([true, champion, challenger]), axis=1, return_counts=True)
    places = np.arange(len(counts))

    def mark(classes: np.ndarray, where: np.ndarray) -> csr_array:
        ones = np.ones(int(where.sum()), np.int64)
        return csr_array((ones, (classes[where], places[where])), shape=(num_classes, len(counts)))

    everywhere = np.ones(len(counts), bool)
    answers = (cells[1], cells[2])
    return _Cells(
        counts=counts,
        of_class=mark(cells[0], everywhere),
        of_answer=(mark(answers[0], everywhere), mark(answers[1], everywhere)),
        of_hit=(mark(answers[0], answers[0] == cells[0]), mark(answers[1], answers[1] == cells[0])),
    )


def _draw(cells: _Cells, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield counts (M, R) of a few resamples at a time."""
    rng = np.random.default_rng(seed)
    num_images = int(cells.counts.sum())
    shares = cells.counts / num_images
    # Sparse products make (C, R) of them, and there may be more classes than cells.
    step = max(1, _MAX_COUNTS // max(cells.of_class.shape))
    for start in range(0, num_resamples, step):
        size = min(step, num_resamples - start)
        yield np.ascontiguousarray(rng.multinomial(num_images, shares, size=size).T)


def _figures(cells: _Cells, counts: np.ndarray) -> np.ndarray:
    """Figures (2 models, 4 in the order of `FIGURE_NAMES`, R) for R ways (M, R) to fill the cells."""
    support = cells.of_class @ counts
    has_images = support > 0
    num_images, num_present = support.sum(axis=0), has_images.sum(axis=0)

    def mean(share: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(has_images, share, 0.0).sum(axis=0) / num_present)

    figures = []
    for of_answer, of_hit in zip(cells.of_answer, cells.of_hit, strict=True):
        answered, hits = of_answer @ counts, of_hit @ counts
        # Where the divisor is 0, so are the hits: a class that was never answered has precision 0.
        precision, recall = hits / np.maximum(answered, 1), hits / np.maximum(support, 1)
        f1 = 2 * hits / np.maximum(answered + support, 1)
        figures.append([hits.sum(axis=0) / num_images, mean(f1), mean(precision), mean(recall)])
    return np.array(figures)


def _pair(observed: np.ndarray, drawn: np.ndarray) -> PairedFigure:
    """Sum up one figure from its two values (2,) and those of the resamples (2, R)."""
    differences = drawn[1] - drawn[0]
    lower, upper = np.percentile(differences, _PERCENTILES)
    is_tie = np.abs(differences) < _NOISE
    better = np.where(is_tie, 0.5, differences > 0)
    difference = float(observed[1] - observed[0])
    return PairedFigure(
        champion=float(observed[0]),
        challenger=float(observed[1]),
        difference=0.0 if abs(difference) < _NOISE else difference,
        lower=float(lower),
        upper=float(upper),
        confidence=float(better.mean()),
    )
