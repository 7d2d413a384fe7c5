"""What becomes of fire times that have passed: the one that is due runs, those that nobody was there for as asked.

Knows nothing of databases.
"""

from collections.abc import Sequence

from core.types import CatchUp, RunState
from db.schedules import NewRun

# A fire time that is noticed so much later was missed: schedulers look every half minute.
GRACE_S = 900.0
# Of a scheduler that was away for years, so many fire times get a row; older ones are passed over.
MAX_FIRE_TIMES = 100


def runs_for(fire_times: Sequence[float], catch_up: CatchUp, *, at_s: float) -> list[NewRun]:
    """Decide what becomes of each fire time.

    Args:
        fire_times: those that have passed, oldest first, in seconds since 1970.
        catch_up: what is asked for.
        at_s: when they are looked at.
    """
    *older, newest = fire_times
    is_late = at_s - newest > GRACE_S
    match catch_up:
        case CatchUp.ALL:
            return [NewRun(fire_at) for fire_at in fire_times]
        case CatchUp.LATEST:
            return [*(_missed(fire_at, "a later one runs instead") for fire_at in older), NewRun(newest)]
        case CatchUp.NONE:
            reason = "missed ones are not caught up with"
            last = _missed(newest, reason) if is_late else NewRun(newest)
            return [*(_missed(fire_at, reason) for fire_at in older), last]


def _missed(fire_at: float, reason: str) -> NewRun:
    return NewRun(fire_at, state=RunState.MISSED, reason=f"No scheduler was running; {reason}.")
