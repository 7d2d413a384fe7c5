"""The tables of a report: confusion, classes and epochs, in the order in which they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.training import EpochMetrics
from core.types import Split
from workers.ml.evaluation import ClassFigures, Evaluation

# A grid of more classes fits no screen; the pairs that are confused most say more.
MAX_GRID_CLASSES = 30
MAX_PAIRS = 30


@dataclass(frozen=True, slots=True)
class Cell:
    """How many images of one class got one answer."""

    num_images: int
    share: float  # of the images of that class
    is_right: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A class that is taken for another."""

    true: str
    predicted: str
    num_images: int
    share: float  # of the images of the true class


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the table of classes. None: undefined."""

    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    taken_for: Pair | None  # the wrong answer that its images get most


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch in the table of epochs."""

    number: int
    stage: str
    learning_rate: float
    duration_s: float
    by_split: dict[Split, EpochMetrics]


def confusion_grid(evaluation: Evaluation) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """The confusion matrix, row by row, each with its class; empty where it is too large to be looked at."""
    if len(evaluation.classes) > MAX_GRID_CLASSES:
        return ()
    return tuple(
        (
            figures.label,
            tuple(
                Cell(number, number / figures.support if figures.support else 0.0, row == column)
                for column, number in enumerate(counts)
            ),
        )
        for row, (figures, counts) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True))
    )


def confused_pairs(evaluation: Evaluation) -> tuple[Pair, ...]:
    """The pairs of classes that are confused most, the most frequent first."""
    pairs = (pair for row in range(len(evaluation.classes)) for pair in _pairs_of(evaluation, row))
    return tuple(sorted(pairs, key=lambda pair: (-pair.num_images, -pair.share))[:MAX_PAIRS])


def class_rows(evaluation: Evaluation) -> tuple[ClassRow, ...]:
    """The classes in the model's order; where there are too many to see at once, the worst first."""
    num_answered = [sum(column) for column in zip(*evaluation.confusion, strict=True)]
    rows = tuple(
        _class_row(figures, num_answered[row], _pairs_of(evaluation, row))
        for row, figures in enumerate(evaluation.classes)
    )
    if len(rows) <= MAX_GRID_CLASSES:
        return rows
    return tuple(sorted(rows, key=lambda row: (row.f1 is None, row.f1)))


def epoch_rows(epochs: Sequence[EpochMetrics]) -> tuple[EpochRow, ...]:
    """The epochs in their order, all splits of an epoch in one row."""
    by_number: dict[int, dict[Split, EpochMetrics]] = {}
    for metrics in epochs:
        by_number.setdefault(metrics.number, {})[metrics.split] = metrics
    rows = []
    for number, by_split in sorted(by_number.items()):
        any_of_them = next(iter(by_split.values()))
        # Splits are gone through one after another, so an epoch takes as long as all of them together.
        duration_s = sum(metrics.duration_s for metrics in by_split.values())
        rows.append(EpochRow(number, str(any_of_them.stage), any_of_them.learning_rate, duration_s, by_split))
    return tuple(rows)


def _pairs_of(evaluation: Evaluation, row: int) -> list[Pair]:
    figures = evaluation.classes[row]
    return [
        Pair(figures.label, other.label, number, number / figures.support)
        for column, (other, number) in enumerate(zip(evaluation.classes, evaluation.confusion[row], strict=True))
        if number and column != row
    ]


def _class_row(figures: ClassFigures, num_answered: int, pairs: Sequence[Pair]) -> ClassRow:
    return ClassRow(
        label=figures.label,
        support=figures.support,
        precision=figures.precision if num_answered else None,
        recall=figures.recall if figures.support else None,
        f1=figures.f1 if figures.support or num_answered else None,
        taken_for=max(pairs, key=lambda pair: pair.num_images, default=None),
    )
