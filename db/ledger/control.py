"""What a person does to a job: pause it, resume it, cancel it, give it another priority, retry its failed images."""

from collections.abc import Iterator, Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from core.errors import StateError, UnknownJobError
from core.types import ChunkState, JobKind, JobState, Priority
from db.clock import now_s
from db.ledger.accepting import new_chunk
from db.ledger.closing import ACTIVE_S
from db.tables import ChunkTable, JobTable, ResultTable, chunk_is

# What both databases can hold.
MAX_ID = 2**63 - 1
TRAINING_KINDS = tuple(kind for kind in JobKind if kind.is_training)


def get_job(session: Session, job_id: int) -> JobTable:
    """One job's row.

    Raises:
        UnknownJobError: there is no such job.
    """
    job = session.get(JobTable, job_id) if 0 < job_id <= MAX_ID else None
    if job is None:
        raise UnknownJobError(f"There is no job {job_id}. `labelyard jobs` lists those there are.")
    return job


def pause(session: Session, job_id: int, *, reason: str | None = None) -> bool:
    """Hand out no more of a running job's chunks; those that workers have are brought to their end.

    A training is taken away from its worker; it has its checkpoints.

    Args:
        session: a writing transaction.
        job_id: the job.
        reason: a sentence, if no person asked for it.

    Returns:
        False if the job was not running.
    """
    paused = session.execute(
        update(JobTable)
        .where(JobTable.id == job_id, JobTable.state == JobState.RUNNING)
        .values(state=JobState.PAUSED, active_s=ACTIVE_S, pause_reason=reason)
    )
    if paused.rowcount != 1:  # type: ignore[attr-defined]
        return False
    if get_job(session, job_id).kind in TRAINING_KINDS:
        _revoke_leases(session, job_id)
    return True


def cancel(session: Session, job_id: int) -> None:
    """End a job for good; its workers stop at their next batch. What it has written stays.

    Raises:
        UnknownJobError: there is no such job.
        StateError: the job has ended already.
    """
    job = _lock(session, job_id)
    if job.state.is_final:
        raise StateError(f"Job {job_id} is {job.state}; there is nothing to cancel.")
    session.execute(
        update(JobTable)
        .where(JobTable.id == job_id)
        .values(
            state=JobState.CANCELLED,
            finished_at=now_s(),
            active_s=ACTIVE_S if job.state is JobState.RUNNING else JobTable.active_s,
        )
    )
    session.expire(job)
    _revoke_leases(session, job_id)


def resume(session: Session, job_id: int, *, priority: Priority | None = None) -> None:
    """Go on with a job that was paused, that failed, or whose command was killed.

    Args:
        session: a writing transaction.
        job_id: the job.
        priority: a new one, if it is to change.

    Raises:
        UnknownJobError: there is no such job.
        StateError: the job has ended, so there is nothing to go on with.
    """
    job = _lock(session, job_id)
    if job.state in (JobState.DONE, JobState.CANCELLED):
        raise StateError(f"Job {job_id} is {job.state}; there is nothing to go on with.")
    if priority is not None:
        job.priority = int(priority)
    if job.state is not JobState.RUNNING:
        # Whatever killed its workers before has been looked at, one may hope.
        session.execute(
            update(ChunkTable).where(ChunkTable.job_id == job_id, chunk_is(ChunkState.QUEUED)).values(deaths=0)
        )
        _start(session, job)


def set_priority(session: Session, job_id: int, priority: Priority) -> None:
    """Have a job's chunks claimed sooner or later than others', from the next claim on.

    Raises:
        UnknownJobError: there is no such job.
        StateError: the job has ended.
    """
    job = _lock(session, job_id)
    if job.state.is_final:
        raise StateError(f"Job {job_id} is {job.state}; its priority changes nothing any more.")
    job.priority = int(priority)


def fail(session: Session, job_id: int, error: str) -> None:
    """End a running job that cannot go on, and say why. Its chunks stay, for `resume`."""
    session.execute(
        update(JobTable)
        .where(JobTable.id == job_id, JobTable.state == JobState.RUNNING)
        .values(state=JobState.FAILED, error=error, finished_at=now_s(), active_s=ACTIVE_S)
    )
    _revoke_leases(session, job_id)


def retry_errors(session: Session, job_id: int, *, chunk_size: int) -> int:
    """Owe again the images of an ended job that have error rows; each row stays until it is replaced.

    Returns:
        How many images will be tried again.

    Raises:
        UnknownJobError: there is no such job.
        StateError: the job has not ended, so its errors may still be on their way.
    """
    job = _lock(session, job_id)
    if job.kind in TRAINING_KINDS:
        raise StateError(f"Job {job_id} is a training; it has no images to try again. Mend them, then train again.")
    if not job.state.is_final:
        raise StateError(f"Job {job_id} is {job.state}; its failed images can be retried once it has ended.")
    num_images = 0
    for ordinals in _failed_ordinals(session, job_id, chunk_size):
        chunk = new_chunk(job_id, ordinals[0], ordinals[-1]) | {"redo": True, "num_images": len(ordinals)}
        session.execute(insert(ChunkTable), [chunk])
        num_images += len(ordinals)
    if num_images:
        _start(session, job)
    return num_images


def _failed_ordinals(session: Session, job_id: int, page_size: int) -> Iterator[Sequence[int]]:
    after = -1
    while True:
        page = session.scalars(
            select(ResultTable.ordinal)
            .distinct()
            .where(ResultTable.job_id == job_id, ResultTable.reason.is_not(None), ResultTable.ordinal > after)
            .order_by(ResultTable.ordinal)
            .limit(page_size)
        ).all()
        if not page:
            return
        yield page
        after = page[-1]


def _revoke_leases(session: Session, job_id: int) -> None:
    """Take a job's chunks away from their workers, who find out at their next renewal."""
    session.execute(
        update(ChunkTable)
        .where(ChunkTable.job_id == job_id, chunk_is(ChunkState.LEASED))
        .values(state=ChunkState.QUEUED, worker_id=None, lease_expires_at=None)
    )


def _lock(session: Session, job_id: int) -> JobTable:
    """A job's row that nobody else changes before this transaction ends."""
    job = session.get(JobTable, job_id, with_for_update=True)
    return job if job is not None else get_job(session, job_id)


def _start(session: Session, job: JobTable) -> None:
    job.state = JobState.RUNNING
    job.started_at = session.scalars(select(now_s())).one()
    job.finished_at = job.error = job.pause_reason = None
