"""Why a job waits, in a sentence that says how to mend it. Each reason is one function; the first that holds is given.

What the ledger cannot know (a broker that is away, a disk that fills up) is asked by those who are handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import BrokerError, DiskFullError
from core.jobs import Progress
from core.settings import Settings
from core.types import ChunkState, JobState, Priority
from db.clock import now_s
from db.database import Database
from db.ledger.progress import models_of
from db.tables import ChunkTable, JobTable, WorkerTable, chunk_is
from db.workers import last_unfit, live_workers, problem_with, takes

# How many workers or jobs a sentence names.
MAX_NAMED = 5
DEFAULT_LEASE_S = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job may wait for outside of the ledger."""

    lease_s: float = DEFAULT_LEASE_S  # how long a lease lasts that has just been renewed
    is_embedded: bool = False  # whether commands bring their own workers
    is_planning: bool = False  # whether who asks looks for the images of accepted jobs itself, as every server does
    space_problem: Callable[[], str | None] = lambda: None  # why the database may not grow; asked always
    problems: tuple[Callable[[], str | None], ...] = ()  # each says what is wrong, or nothing; asked only if need be


def surroundings(settings: Settings, database: Database, *, is_planning: bool = False) -> Surroundings:
    """What is around a ledger in this set-up."""
    return Surroundings(
        settings.lease_s,
        settings.is_embedded,
        is_planning,
        lambda: _space_problem(database),
        (lambda: _broker_problem(settings, database),),
    )


def reason_to_wait(session: Session, job: JobTable, so_far: Progress, around: Surroundings) -> str | None:
    """Why nothing happens with a job; None if something does, or nothing has to."""
    if job.state is JobState.PAUSED:
        why = f"The job is paused: {job.pause_reason}" if job.pause_reason else "The job is paused."
        return f"{why} `labelyard jobs resume {job.id}` goes on with it."
    if job.state.is_final:
        return None
    if no_space := around.space_problem():
        return no_space
    num_leased, left_s = session.execute(
        select(func.count(), func.max(ChunkTable.lease_expires_at) - now_s()).where(
            ChunkTable.job_id == job.id, chunk_is(ChunkState.LEASED)
        )
    ).one()
    if num_leased:
        return _silent_leases(num_leased, left_s or 0.0, lease_s=around.lease_s)
    if not (so_far.is_planned or around.is_planning) and so_far.num_finished == so_far.num_planned:
        return f"Its images have not all been found. `labelyard jobs resume {job.id}` or `labelyard serve` goes on."
    workers = live_workers(session, job.id)
    return (
        _no_worker(session, job, workers, is_embedded=around.is_embedded)
        or _all_decline(session, job, workers)
        or next(filter(None, (problem() for problem in around.problems)), None)
        or _busy(session, job, workers)
    )


def _space_problem(database: Database) -> str | None:
    try:
        database.require_space()
    except DiskFullError as error:
        return str(error)
    return None


def _silent_leases(num_leased: int, left_s: float, *, lease_s: float) -> str | None:
    """Leases are renewed ten times before they run out; one of which half has passed is nobody's any more."""
    if left_s >= lease_s / 2:
        return None
    chunks = "Its chunk is" if num_leased == 1 else f"Its {num_leased} chunks in progress are"
    when = f"in {left_s:.0f} s, when the lease runs out" if left_s > 0 else "at the next sweep"
    return f"{chunks} with a worker that has gone silent, and will be handed to another {when}."


def _no_worker(session: Session, job: JobTable, workers: Sequence[WorkerTable], *, is_embedded: bool) -> str | None:
    if any(takes(worker, job.kind) for worker in workers):
        return None
    if workers:
        queue = "train" if job.kind.is_training else "label"
        return (
            f"No worker that runs takes {job.kind} jobs (see --queues). `labelyard worker --queues {queue}` starts one."
        )
    unfit = last_unfit(session)
    ended = f" The last one, {unfit.id}, ended: {unfit.declines}" if unfit is not None else ""
    how = (
        f"`labelyard serve`, `labelyard worker` or `labelyard jobs resume {job.id}` starts one."
        if is_embedded
        else "`labelyard worker` starts one."
    )
    return f"No worker is running. {how}{ended}"


def _all_decline(session: Session, job: JobTable, workers: Sequence[WorkerTable]) -> str | None:
    networks = [model.network for model in models_of(session, job.id)]
    able = [worker for worker in workers if takes(worker, job.kind)]
    problems = {worker.id: problem_with(worker, networks) for worker in able}
    if not all(problems.values()):
        return None
    if len(set(problems.values())) == 1:
        who = "The one worker that runs declines" if len(problems) == 1 else f"All {len(problems)} workers decline"
        return f"{who} it: {next(iter(problems.values()))}"
    told = [f"{worker_id}: {problem}" for worker_id, problem in list(problems.items())[:MAX_NAMED]]
    return f"All {len(problems)} workers decline it. {' '.join(told)}"


def _busy(session: Session, job: JobTable, workers: Sequence[WorkerTable]) -> str | None:
    num_chunks = func.count()
    rows = session.execute(
        select(JobTable.id, JobTable.priority, num_chunks)
        .join(ChunkTable, ChunkTable.job_id == JobTable.id)
        .where(chunk_is(ChunkState.LEASED), ChunkTable.worker_id.in_([worker.id for worker in workers]))
        .group_by(JobTable.id, JobTable.priority)
        .order_by(num_chunks.desc(), JobTable.id)
    ).all()
    if not rows:
        return None
    named = ", ".join(_named(job_id, priority, job.priority) for job_id, priority, _ in rows[:MAX_NAMED])
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    return f"All workers are busy with other jobs: {named}{more}. It is next when one ends a chunk."


def _named(job_id: int, priority: int, own: int) -> str:
    return f"job {job_id}{f' ({Priority(priority).name.lower()})' if priority != own else ''}"


def _broker_problem(settings: Settings, database: Database) -> str | None:
    from orchestrator.watching import make_waker  # noqa: PLC0415 - Celery, only where a broker is set

    try:
        make_waker(settings, database)
    except BrokerError as error:
        return f"Workers cannot be woken. {error} They go on by themselves once it is back."
    return None
