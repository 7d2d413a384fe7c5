"""Where everything in a chart goes, in units of its drawing; templates turn places into SVG and choose the colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.training import EpochMetrics
from core.types import Split, TrainMode
from orchestrator.reports.scales import Scale, Tick, round_step
from workers.ml.evaluation import Evaluation

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 48, 50, 26, 42  # margins
NUM_Y_STEPS = 5
NUM_X_STEPS = 8
# Names of lines that end at the same height are pushed apart by the height of a line of text.
TEXT_HEIGHT = 15.0
SMALLEST_DOT, LARGEST_DOT = 3.0, 13.0  # radius
# Areas of dots are hard to compare, so bars along the axis say as well how many images there are.
BAR_HEIGHT = 34

_STAGE_NAMES = {TrainMode.HEAD: "head", TrainMode.FINETUNE: "fine-tuning", TrainMode.SCRATCH: "from scratch"}


@dataclass(frozen=True, slots=True)
class Line:
    """How a figure went in one split."""

    name: str
    paths: tuple[str, ...]  # SVG's `points`, one for each stretch without a gap
    dots: tuple[tuple[float, float], ...]  # stretches of a single epoch
    label_y: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """How a figure went from epoch to epoch."""

    title: str
    description: str  # for those who cannot see it
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    stages: tuple[Tick, ...]  # where a stage of training begins, but for the first
    best: Tick | None
    best_dot: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Dot:
    """The images of one range of scores."""

    x: float
    y: float
    radius: float
    diagonal_y: float  # where it would be if scores were right
    bar_x: float
    bar_height: float
    text: str


@dataclass(frozen=True, slots=True)
class ReliabilityChart:
    """How often the model is right when it is so sure."""

    description: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    bar_width: float


def draw_curves(epochs: Sequence[EpochMetrics], best_epoch: int | None) -> tuple[LineChart, ...]:
    """Draw loss and accuracy, epoch by epoch; nothing where there were no epochs."""
    if not epochs:
        return ()
    losses = [metrics.loss for metrics in epochs if math.isfinite(metrics.loss)]
    lowest = min(metrics.accuracy for metrics in epochs)
    loss_step = round_step(max(losses, default=0.0) or 1.0, NUM_Y_STEPS)
    loss_top = loss_step * max(1, math.ceil(max(losses, default=0.0) / loss_step - 1e-3))
    accuracy_step = round_step(max(1 - lowest, 0.05), NUM_Y_STEPS)
    accuracy_bottom = max(0.0, 1 - accuracy_step * math.ceil(max(1 - lowest, 0.05) / accuracy_step - 1e-3))
    decimals = 0 if accuracy_step >= 0.01 else 1  # noqa: PLR2004 - a step of less than a percent
    loss_decimals = max(0, -math.floor(math.log10(loss_step)))
    return (
        _draw_curve("Loss", epochs, best_epoch, (0.0, loss_top, loss_step, f"{{:.{loss_decimals}f}}")),
        _draw_curve("Accuracy", epochs, best_epoch, (accuracy_bottom, 1.0, accuracy_step, f"{{:.{decimals}%}}")),
    )


def draw_reliability(evaluation: Evaluation) -> ReliabilityChart:
    """Draw accuracy against score; dots on the diagonal are scores that can be taken at their word."""
    x_scale = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    y_scale = Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    largest = max(bin_.num_images for bin_ in evaluation.bins)
    dots = tuple(
        Dot(
            x=x_scale.place(bin_.mean_score),
            y=y_scale.place(bin_.accuracy),
            radius=round(SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * math.sqrt(bin_.num_images / largest), 2),
            diagonal_y=y_scale.place(bin_.mean_score),
            bar_x=x_scale.place(bin_.lower),
            bar_height=round(BAR_HEIGHT * bin_.num_images / largest, 2),
            text=f"{bin_.num_images:,} images: mean score {bin_.mean_score:.1%}, right {bin_.accuracy:.1%}",
        )
        for bin_ in evaluation.bins
        if bin_.mean_score is not None and bin_.accuracy is not None
    )
    return ReliabilityChart(
        description="Accuracy against score, in ranges of scores; the table beside it has the numbers.",
        x_ticks=x_scale.ticks(0.2, "{:.0%}"),
        y_ticks=y_scale.ticks(0.2, "{:.0%}"),
        dots=dots,
        bar_width=round((WIDTH - LEFT - RIGHT) / len(evaluation.bins) - 1, 2),
    )


def _draw_curve(
    title: str, epochs: Sequence[EpochMetrics], best_epoch: int | None, axis: tuple[float, float, float, str]
) -> LineChart:
    low, high, step, template = axis
    numbers = sorted({metrics.number for metrics in epochs})
    # A single epoch is drawn in the middle.
    first, last = (numbers[0], numbers[-1]) if len(numbers) > 1 else (numbers[0] - 1, numbers[0] + 1)
    x_scale = Scale(first, last, LEFT, WIDTH - RIGHT)
    y_scale = Scale(low, high, HEIGHT - BOTTOM, TOP)
    places: dict[Split, dict[int, tuple[float, float]]] = {}
    for metrics in epochs:
        value = metrics.loss if title == "Loss" else metrics.accuracy
        if math.isfinite(value):
            place = x_scale.place(metrics.number), y_scale.place(value)
            places.setdefault(metrics.split, {})[metrics.number] = place
    is_shown = best_epoch is not None and best_epoch in numbers
    best = Tick(x_scale.place(best_epoch), f"best: {best_epoch}") if best_epoch is not None and is_shown else None
    return LineChart(
        title=title,
        description=f"{title} of {' and '.join(places)} over {len(numbers)} epochs; the table below has the numbers.",
        x_ticks=_epoch_ticks(x_scale, numbers),
        y_ticks=y_scale.ticks(step, template),
        lines=_lines(places, numbers),
        stages=_stages(epochs, x_scale),
        best=best,
        best_dot=places.get(Split.VAL, {}).get(best_epoch) if best_epoch is not None else None,
    )


def _epoch_ticks(scale: Scale, numbers: Sequence[int]) -> tuple[Tick, ...]:
    if len(numbers) == 1:
        return (Tick(scale.place(numbers[0]), str(numbers[0])),)
    return scale.ticks(max(1.0, round_step(numbers[-1] - numbers[0], NUM_X_STEPS)), "{:.0f}")


def _lines(places: dict[Split, dict[int, tuple[float, float]]], numbers: Sequence[int]) -> tuple[Line, ...]:
    lines = []
    for split in Split:
        if split not in places:
            continue
        stretches: list[list[tuple[float, float]]] = [[]]
        for number in numbers:
            if number in places[split]:
                stretches[-1].append(places[split][number])
            elif stretches[-1]:
                stretches.append([])
        lines.append(
            Line(
                name=str(split),
                paths=tuple(" ".join(f"{x},{y}" for x, y in points) for points in stretches if len(points) > 1),
                dots=tuple(points[0] for points in stretches if len(points) == 1),
                label_y=places[split][max(places[split])][1],
            )
        )
    return _spread_labels(lines)


def _spread_labels(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Move names down until none covers another."""
    spread: list[Line] = []
    for line in sorted(lines, key=lambda line: line.label_y):
        lowest = spread[-1].label_y + TEXT_HEIGHT if spread else line.label_y
        spread.append(Line(line.name, line.paths, line.dots, max(line.label_y, lowest)))
    return tuple(spread)


def _stages(epochs: Sequence[EpochMetrics], scale: Scale) -> tuple[Tick, ...]:
    """Where another stage of training begins: half-way between its first epoch and the one before."""
    stage_of = {metrics.number: metrics.stage for metrics in epochs}
    numbers = sorted(stage_of)
    return tuple(
        Tick(scale.place((before + number) / 2), _STAGE_NAMES[stage_of[number]])
        for before, number in pairwise(numbers)
        if stage_of[before] is not stage_of[number]
    )
