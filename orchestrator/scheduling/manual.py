"""Following one run to its end, for those who wait for it."""

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.settings import Settings
from core.types import JobState, RunState
from db.clock import read_now
from db.database import Database
from db.ledger.control import get_job
from db.schedule_tables import ScheduleRunTable, ScheduleTable
from db.schedules import unfinished_runs
from orchestrator.scheduling.history import HistoryEntry, entry_of
from orchestrator.scheduling.steps import Steps


def _get(session: Session, run_id: int) -> ScheduleRunTable:
    run = session.get(ScheduleRunTable, run_id)
    if run is None:
        raise UsageError("The schedule of this run was removed.")
    return run


def advance(database: Database, settings: Settings, run_id: int) -> HistoryEntry | None:
    """Move a run one step on.

    Returns:
        What became of it; None: it has not ended.

    Raises:
        UsageError: another run of the same model has to end first, or the run's schedule was removed.
    """
    with database.read() as session:
        run = _get(session, run_id)
        if run.ended_at is not None:
            return entry_of(session, run)
        schedule = session.get_one(ScheduleTable, run.schedule_id)
        first = [other for other, of in unfinished_runs(session) if of.model == schedule.model]
        at_s = read_now(session)
    if first and first[0].id != run_id:
        raise UsageError(
            f"Another run for {schedule.model!r} has not ended; it is {first[0].state}. This one follows when it has: "
            "`labelyard serve` sees to it."
        )
    Steps(database, settings, at_s=at_s).take(run, schedule)
    with database.read() as session:
        run = _get(session, run_id)
        return None if run.ended_at is None else entry_of(session, run)


def unfinished_job(database: Database, run_id: int) -> int | None:
    """The job that a run waits for.

    Raises:
        UsageError: that job was paused.
    """
    with database.read() as session:
        run = _get(session, run_id)
        job_id = run.train_job_id if run.state is RunState.TRAINING else run.compare_job_id
        if run.ended_at is not None or run.state not in (RunState.TRAINING, RunState.COMPARING) or job_id is None:
            return None
        state = get_job(session, job_id).state
    if state is JobState.PAUSED:
        raise UsageError(f"Job {job_id} of this run is paused. `labelyard jobs resume {job_id}` goes on with it.")
    return None if state.is_final else job_id
