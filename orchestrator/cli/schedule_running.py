"""Running a schedule in the foreground: each of its jobs is brought to its end here, or by workers elsewhere."""

from core.types import RunTrigger
from db.clock import read_now
from db.schedules import NewRun, add_run, get_schedule
from orchestrator.cli.context import Context
from orchestrator.cli.running import Outputs, pausing_on_ctrl_c, reporter_for
from orchestrator.scheduling.history import HistoryEntry
from orchestrator.scheduling.manual import advance, unfinished_job
from orchestrator.watching import make_waker, run_to_end


def run_now(context: Context, name: str, *, as_json: bool) -> tuple[HistoryEntry, str]:
    """Run a schedule to its decision.

    Returns:
        What became of it, and the time zone that its schedule is by.

    Raises:
        UnknownScheduleError: there is none of that name.
    """
    database = context.database
    waker = make_waker(context.settings, database)
    with database.write() as session:
        schedule = get_schedule(session, name)
        now_s, time_zone = read_now(session), schedule.time_zone
        run_id = add_run(session, schedule.id, NewRun(now_s, trigger=RunTrigger.MANUAL), at_s=now_s)
    while (entry := advance(database, context.settings, run_id)) is None:
        job_id = unfinished_job(database, run_id)
        if job_id is None:
            continue
        reporter = reporter_for(context, job_id, Outputs(as_json=as_json))
        with pausing_on_ctrl_c(context, job_id), reporter:
            run_to_end(database, context.settings, job_id, waker, reporter)
    if entry.relabel_job_id is not None:
        with reporter_for(context, entry.relabel_job_id, Outputs(as_json=as_json)) as reporter:
            run_to_end(database, context.settings, entry.relabel_job_id, waker, reporter)
    return entry, time_zone
