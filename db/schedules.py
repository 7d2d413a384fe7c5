"""The schedules store: when a name is trained again, and what became of each fire time.

Whatever moves a schedule or a run looks whether another scheduler was quicker, so that any number of them may try.
Knows nothing of cron expressions or of rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import StateError, UnknownScheduleError, UsageError
from core.types import CatchUp, RunState, RunTrigger
from db.model_tables import ModelTable
from db.schedule_tables import ScheduleRunTable, ScheduleTable


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule that is about to be written; its parts are checked already."""

    name: str
    model: str  # the name that its versions share
    cron: str
    time_zone: str
    promotion_rule: str
    condition: str | None = None  # None: whenever it fires
    dataset: Mapping[str, Any] | None = None  # looked at anew each time; None: labels alone
    catch_up: CatchUp = CatchUp.LATEST
    tunes: bool = False
    relabel_job_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """One fire time and what is to become of it."""

    fire_at: float  # seconds since 1970
    trigger: RunTrigger = RunTrigger.CRON
    state: RunState = RunState.STARTED
    reason: str | None = None


def add_schedule(session: Session, new: NewSchedule, *, at_s: float) -> ScheduleTable:
    """Write a schedule. It fires from now on.

    Raises:
        StateError: there is one of that name.
    """
    row = asdict(new) | {"is_enabled": True, "created_at": at_s, "considered_until": at_s}
    try:
        with session.begin_nested():
            schedule_id = session.scalars(insert(ScheduleTable).returning(ScheduleTable.id), row).one()
    except IntegrityError:
        raise StateError(
            f"There is a schedule {new.name!r} already. Choose another --name, or `labelyard schedule remove "
            f"{new.name}` first."
        ) from None
    return session.get_one(ScheduleTable, schedule_id)


def get_schedule(session: Session, name: str) -> ScheduleTable:
    """One schedule.

    Raises:
        UnknownScheduleError: there is none of that name.
    """
    found = session.scalars(select(ScheduleTable).where(ScheduleTable.name == name)).one_or_none()
    if found is None:
        names = ", ".join(schedule.name for schedule in list_schedules(session))
        known = f"There are: {names}." if names else "There are none yet; `labelyard schedule add` makes them."
        raise UnknownScheduleError(f"There is no schedule {name!r}. {known}")
    return found


def only_schedule(session: Session) -> ScheduleTable:
    """The schedule of a user who names none.

    Raises:
        UnknownScheduleError: there is none at all.
        UsageError: there are several.
    """
    schedules = list_schedules(session)
    if not schedules:
        raise UnknownScheduleError("There are no schedules yet; `labelyard schedule add` makes them.")
    if len(schedules) > 1:
        names = ", ".join(schedule.name for schedule in schedules)
        raise UsageError(f"Received no name, and there are {len(schedules)} schedules. Name one of: {names}.")
    return schedules[0]


def list_schedules(session: Session) -> Sequence[ScheduleTable]:
    """All schedules, by name."""
    return session.scalars(select(ScheduleTable).order_by(ScheduleTable.name)).all()


def enable(session: Session, name: str, *, is_enabled: bool, at_s: float) -> bool:
    """Let a schedule fire, or not any more; what was due in between is passed over.

    Returns:
        False if it was so already.

    Raises:
        UnknownScheduleError: there is none of that name.
    """
    schedule = get_schedule(session, name)
    if schedule.is_enabled is is_enabled:
        return False
    schedule.is_enabled = is_enabled
    schedule.considered_until = max(schedule.considered_until, at_s)
    return True


def remove_schedule(session: Session, name: str) -> None:
    """Delete a schedule with its history.

    Raises:
        UnknownScheduleError: there is none of that name.
        StateError: a run of it has not ended.
    """
    schedule = get_schedule(session, name)
    unfinished = session.scalars(
        select(ScheduleRunTable).where(ScheduleRunTable.schedule_id == schedule.id, ScheduleRunTable.ended_at.is_(None))
    ).first()
    if unfinished is not None:
        raise StateError(
            f"A run of {name!r} is {unfinished.state}. Wait for its end, or `labelyard jobs cancel` its job, then "
            "remove the schedule."
        )
    session.delete(schedule)


def consider(session: Session, schedule: ScheduleTable, runs: Sequence[NewRun], *, until: float) -> bool:
    """Give fire times their rows, and never look at them again.

    Args:
        session: a writing transaction.
        schedule: as it was read.
        runs: fire times behind those that were considered already, up to `until`.
        until: fire times up to here are considered then.

    Returns:
        False, and nothing is written, if another scheduler has done it in the meantime.
    """
    moved = session.execute(
        update(ScheduleTable)
        .where(
            ScheduleTable.id == schedule.id,
            ScheduleTable.considered_until == schedule.considered_until,
            ScheduleTable.is_enabled,
        )
        .values(considered_until=until),
        execution_options={"synchronize_session": False},
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return False
    for run in runs:
        add_run(session, schedule.id, run, at_s=until)
    return True


def add_run(session: Session, schedule_id: int, run: NewRun, *, at_s: float) -> int:
    """Write what is to become of a fire time.

    Returns:
        Its id.
    """
    row = asdict(run) | {
        "schedule_id": schedule_id,
        "created_at": at_s,
        "ended_at": at_s if run.state.is_final else None,
    }
    return session.scalars(insert(ScheduleRunTable).returning(ScheduleRunTable.id), row).one()


def unfinished_runs(session: Session) -> Sequence[tuple[ScheduleRunTable, ScheduleTable]]:
    """Runs that are not at their end, with their schedules, oldest first; of each model's name only the first.

    The others wait: what they would learn from depends on what becomes of it.
    """
    rows = session.execute(
        select(ScheduleRunTable, ScheduleTable)
        .join(ScheduleTable, ScheduleTable.id == ScheduleRunTable.schedule_id)
        .where(ScheduleRunTable.ended_at.is_(None))
        .order_by(ScheduleRunTable.id)
    )
    first: dict[str, tuple[ScheduleRunTable, ScheduleTable]] = {}
    for run, schedule in rows:
        first.setdefault(schedule.model, (run, schedule))
    return list(first.values())


def lock_run(session: Session, run: ScheduleRunTable) -> ScheduleRunTable | None:
    """A run that nobody else moves before this transaction ends.

    Args:
        session: a writing transaction.
        run: as it was read.

    Returns:
        None if another scheduler has moved it in the meantime.
    """
    return session.scalars(
        select(ScheduleRunTable)
        .where(
            ScheduleRunTable.id == run.id,
            ScheduleRunTable.state == run.state,
            ScheduleRunTable.ended_at.is_(None),
        )
        .with_for_update(),
        execution_options={"populate_existing": True},
    ).one_or_none()


def find_unjudged(session: Session, dataset_id: int) -> ModelTable | None:
    """The newest version that has learned from a dataset, if runs have trained it and none has decided about it."""
    decided = exists().where(
        ScheduleRunTable.challenger_id == ModelTable.id,
        ScheduleRunTable.state.in_((RunState.PROMOTED, RunState.REFUSED)),
    )
    trained = exists().where(ScheduleRunTable.challenger_id == ModelTable.id)
    return session.scalars(
        select(ModelTable)
        .where(ModelTable.dataset_id == dataset_id, ModelTable.ready_at.is_not(None), trained, ~decided)
        .order_by(ModelTable.version.desc())
        .limit(1)
    ).one_or_none()


def runs_of(session: Session, schedule_id: int, *, limit: int | None = None) -> Sequence[ScheduleRunTable]:
    """What became of a schedule's fire times, oldest first; the newest ones, if there is a limit."""
    newest = (
        select(ScheduleRunTable)
        .where(ScheduleRunTable.schedule_id == schedule_id)
        .order_by(ScheduleRunTable.fire_at.desc(), ScheduleRunTable.id.desc())
    )
    return session.scalars(newest.limit(limit)).all()[::-1]
