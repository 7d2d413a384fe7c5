"""What becomes of fire times that nobody was there for."""

import pytest

from core.types import CatchUp, RunState
from orchestrator.scheduling.due import GRACE_S, runs_for

DAY_S = 86_400.0
FIRE_TIMES = [1 * DAY_S, 2 * DAY_S, 3 * DAY_S]

STARTED, MISSED = RunState.STARTED, RunState.MISSED


@pytest.mark.parametrize(
    ("catch_up", "late_s", "states"),
    [
        (CatchUp.LATEST, 5.0, [MISSED, MISSED, STARTED]),
        (CatchUp.LATEST, 0.9 * DAY_S, [MISSED, MISSED, STARTED]),
        (CatchUp.ALL, 0.9 * DAY_S, [STARTED, STARTED, STARTED]),
        (CatchUp.NONE, 5.0, [MISSED, MISSED, STARTED]),
        (CatchUp.NONE, GRACE_S + 1.0, [MISSED, MISSED, MISSED]),
    ],
)
def test_missed_fire_times_are_followed_as_asked(catch_up: CatchUp, late_s: float, states: list[RunState]):
    runs = runs_for(FIRE_TIMES, catch_up, at_s=3 * DAY_S + late_s)
    assert [run.fire_at for run in runs] == FIRE_TIMES
    assert [run.state for run in runs] == states


def test_a_missed_fire_time_says_why():
    missed, _ = runs_for(FIRE_TIMES[:2], CatchUp.LATEST, at_s=2 * DAY_S)
    assert missed.reason == "No scheduler was running; a later one runs instead."
