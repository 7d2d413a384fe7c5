"""A model's epochs and confusion for its page: charts and tables, as plain values."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.training import EpochMetrics
from core.types import Split
from db.model_tables import ModelTable
from db.trainings import epochs_of, evaluations_of
from orchestrator.reports.rendering import UNDEFINED
from orchestrator.reports.tables import (
    MAX_GRID_CLASSES,
    Cell,
    ClassRow,
    Pair,
    class_rows,
    confused_pairs,
    confusion_grid,
)
from workers.ml.evaluation import Evaluation

# Shades of a confusion matrix's cells; each is a class of the style sheet.
NUM_SHADES = 8
_PARTS = {Split.TRAIN: "training", Split.VAL: "validation", Split.TEST: "test"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over epochs."""

    title: str
    chart: str  # JSON, as the page's script draws it
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How good a model is on some images, class by class."""

    id: int  # the evaluation's
    title: str
    job_id: int | None  # whose images they are
    split: Split | None
    evaluation: Evaluation
    grid: tuple[tuple[str, tuple[Cell, ...]], ...]  # empty: too many classes
    pairs: tuple[Pair, ...]
    classes: tuple[ClassRow, ...]

    @property
    def indices(self) -> list[int]:
        """The classes' indices, in the order of rows and columns."""
        return [figures.index for figures in self.evaluation.classes]


def curves_of(session: Session, models: Sequence[ModelTable]) -> list[Curve]:
    """Loss and accuracy by epoch: of one model by split, of several by model and split."""
    epochs = {model.label: epochs_of(session, model.id) for model in models}
    if not any(epochs.values()):
        return []
    return [_curve(epochs, "loss", "Loss, nats"), _curve(epochs, "accuracy", "Accuracy")]


def confusions_of(session: Session, model: ModelTable) -> list[Confusion]:
    """What it was measured on: the parts of its own dataset that it has not learned from first, then others."""
    rows = [row for row in evaluations_of(session, model.id) if row.split is not Split.TRAIN]
    ranks = {Split.TEST: 0, Split.VAL: 1, None: 2}
    # Of what was measured on other data, the newest first.
    rows.sort(key=lambda row: (ranks[row.split], -row.id))
    found = []
    for row in rows:
        evaluation = Evaluation.from_json(row.metrics)
        found.append(
            Confusion(
                id=row.id,
                title=row.dataset if row.split is None else f"the {_PARTS[row.split]} part of its own dataset",
                job_id=row.job_id,
                split=row.split,
                evaluation=evaluation,
                grid=confusion_grid(evaluation),
                pairs=confused_pairs(evaluation) if len(evaluation.classes) > MAX_GRID_CLASSES else (),
                classes=class_rows(evaluation),
            )
        )
    return found


def shade(cell: Cell) -> str:
    """The style of a cell: right or wrong, and how much of its row it holds."""
    if not cell.num_images:
        return "none"
    depth = min(NUM_SHADES, 1 + int(cell.share * NUM_SHADES))
    return f"{'right' if cell.is_right else 'wrong'} shade-{depth}"


def _curve(epochs: Mapping[str, Sequence[EpochMetrics]], figure: str, title: str) -> Curve:
    numbers = sorted({one.number for run in epochs.values() for one in run})
    series = {}
    for label, run in epochs.items():
        for split in Split:
            values = {one.number: getattr(one, figure) for one in run if one.split is split}
            if values:
                name = split.value if len(epochs) == 1 else f"{label} {split}"
                series[name] = [values.get(number) for number in numbers]
    drawn = [{"label": name, "values": values, "dashed": name.endswith(Split.TRAIN)} for name, values in series.items()]
    chart = {"x": numbers, "series": drawn, "xLabel": "epoch"}
    rows = [
        (str(number), *(UNDEFINED if values[place] is None else f"{values[place]:.4f}" for values in series.values()))
        for place, number in enumerate(numbers)
    ]
    is_share = figure == "accuracy"
    return Curve(title, json.dumps(chart | ({"range": [0, 1]} if is_share else {})), ("Epoch", *series), rows)
