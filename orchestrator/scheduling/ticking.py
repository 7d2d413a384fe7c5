"""A tick: give fire times that have passed their rows, and move every run on that can be moved.

Ticking twice, or in two places at once, does nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from core.errors import DatabaseError, LabelyardError, UsageError
from core.settings import Settings
from db.clock import read_now
from db.database import Database
from db.schedule_tables import ScheduleTable
from db.schedules import consider, list_schedules, unfinished_runs
from orchestrator.scheduling.cron import FireTimes
from orchestrator.scheduling.due import MAX_FIRE_TIMES, runs_for
from orchestrator.scheduling.steps import Steps

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick did."""

    num_fired: int  # fire times that got their rows
    num_unfinished: int  # runs that were looked at


def tick(database: Database, settings: Settings, *, at_s: float | None = None) -> TickReport:
    """Do what is due.

    Args:
        database: the ledger.
        settings: what may be read, who is told.
        at_s: when this is, in seconds since 1970; None: now, by the database's clock.

    Raises:
        DatabaseError: it does not answer; the next tick goes on.
    """
    if at_s is None:
        at_s = database.query(read_now)
    schedules = database.query(_enabled)
    num_fired = sum(_fire_or_warn(database, schedule, at_s=at_s) for schedule in schedules)
    runs = database.query(unfinished_runs)
    steps = Steps(database, settings, at_s=at_s)
    for run, schedule in runs:
        try:
            steps.take(run, schedule)
        except DatabaseError:
            raise
        except LabelyardError as error:
            # Other models have schedules too.
            logger.warning("schedule_run_failed", schedule=schedule.name, problem=str(error))
            steps.fail(run, str(error))
    return TickReport(num_fired, len(runs))


def _enabled(session: Session) -> Sequence[ScheduleTable]:
    return [schedule for schedule in list_schedules(session) if schedule.is_enabled]


def _fire_or_warn(database: Database, schedule: ScheduleTable, *, at_s: float) -> int:
    try:
        return _fire(database, schedule, at_s=at_s)
    except UsageError as error:
        # Written by another version, or where other time zones are known; others have schedules too.
        logger.warning("schedule_unreadable", schedule=schedule.name, problem=str(error))
        return 0


def _fire(database: Database, schedule: ScheduleTable, *, at_s: float) -> int:
    times = FireTimes(schedule.cron, schedule.time_zone)
    passed = times.between(schedule.considered_until, at_s, limit=MAX_FIRE_TIMES)
    if not passed:
        return 0
    runs = runs_for(passed, schedule.catch_up, at_s=at_s)
    fired = database.transact(lambda session: consider(session, schedule, runs, until=at_s))
    if fired:
        logger.info("schedule_fired", schedule=schedule.name, num_runs=len(runs))
    return len(runs) if fired else 0
