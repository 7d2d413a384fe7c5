import math
from dataclasses import replace

import numpy as np
import pytest

from core.types import Split
from orchestrator.reports.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_curves, draw_reliability
from orchestrator.reports.scales import Scale, Tick, round_step
from workers.ml.evaluation import evaluate


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in path.split())]


def test_curves_are_drawn_to_scale(epochs):
    loss, accuracy = draw_curves(epochs, 5)

    train, val = (points(line.paths[0]) for line in sorted(loss.lines, key=lambda line: line.name))
    assert [x for x, _ in train] == pytest.approx(np.linspace(LEFT, WIDTH - RIGHT, 6), abs=0.01)
    # The axis goes from 0 to 1, the first loss is 1 and the second a half.
    assert train[0][1] == TOP
    assert train[1][1] == (TOP + HEIGHT - BOTTOM) / 2
    assert min(val, key=lambda point: -point[1]) == loss.best_dot
    assert accuracy.y_ticks[-1] == Tick(TOP, "100%")


def test_the_best_epoch_and_the_change_of_stage_are_marked_at_their_places(epochs):
    loss, _ = draw_curves(epochs, 5)

    width = WIDTH - LEFT - RIGHT
    assert loss.best.text == "best: 5"
    assert loss.best.at == pytest.approx(LEFT + width * 4 / 5, abs=0.01)
    assert [stage.text for stage in loss.stages] == ["fine-tuning"]
    assert loss.stages[0].at == pytest.approx(LEFT + width * 2.5 / 5, abs=0.01)


def test_a_loss_that_is_no_number_leaves_a_gap(epochs):
    broken = [
        replace(metrics, loss=math.nan) if metrics.number == 3 and metrics.split is Split.VAL else metrics
        for metrics in epochs
    ]

    loss, accuracy = draw_curves(broken, 5)

    gaps = {line.name: [len(points(path)) for path in line.paths] for line in loss.lines}
    assert gaps == {"train": [6], "val": [2, 3]}
    assert all(len(line.paths) == 1 for line in accuracy.lines)
    assert "nan" not in str(loss)


def test_losses_that_are_all_no_numbers_are_an_empty_chart(epochs):
    loss, accuracy = draw_curves([replace(metrics, loss=math.inf) for metrics in epochs], None)

    assert loss.lines == ()
    assert len(accuracy.lines) == 2


def test_a_single_epoch_is_a_dot_in_the_middle(epochs):
    loss, _ = draw_curves(epochs[:2], 1)

    assert [line.paths for line in loss.lines] == [(), ()]
    assert {line.dots[0][0] for line in loss.lines} == {(LEFT + WIDTH - RIGHT) / 2}
    assert [tick.text for tick in loss.x_ticks] == ["1"]


def test_names_of_lines_do_not_cover_each_other(epochs):
    alike = [replace(metrics, loss=0.5, accuracy=0.9) for metrics in epochs]

    for chart in draw_curves(alike, None):
        first, second = (line.label_y for line in chart.lines)
        assert second - first >= 15


def test_no_epochs_are_no_charts():
    assert draw_curves([], None) == ()


def test_dots_lie_where_scores_and_accuracy_put_them():
    scores = np.array([[0.95], [0.97], [0.45], [0.45]], np.float32)
    found = evaluate(np.zeros(4, int), np.array([[0], [0], [0], [1]]), scores, ("ants", "bees"))

    chart = draw_reliability(found)

    unsure, sure = chart.dots
    assert (sure.x, sure.y) == pytest.approx((LEFT + 0.96 * (WIDTH - LEFT - RIGHT), TOP), abs=0.01)
    assert unsure.y == (TOP + HEIGHT - BOTTOM) / 2
    assert unsure.diagonal_y - unsure.y == pytest.approx(0.05 * (HEIGHT - TOP - BOTTOM), abs=0.02)
    assert unsure.radius == sure.radius


@pytest.mark.parametrize(
    ("span", "num_steps", "expected"),
    [(1.0, 5, 0.2), (30, 8, 5), (7.3, 5, 2), (0.05, 5, 0.01), (1000, 5, 200), (9, 5, 2), (99, 8, 20)],
)
def test_steps_of_an_axis_are_round_and_few(span, num_steps, expected):
    assert round_step(span, num_steps) == pytest.approx(expected)


def test_ticks_end_with_the_axis():
    ticks = Scale(0.85, 1.0, 100, 0).ticks(0.05, "{:.0%}")

    assert ticks == (Tick(100.0, "85%"), Tick(66.67, "90%"), Tick(33.33, "95%"), Tick(0.0, "100%"))
