"""Ending jobs: a job is done when its planning has ended and no chunk of it is open."""

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from core.types import ChunkState, JobState
from db.clock import now_s
from db.tables import ChunkTable, JobTable, chunk_is

# For statements whose rows no object of the session stands for; SQLAlchemy then need not look for any.
NOT_TRACKED = {"synchronize_session": False}
# How long a running job has been worked for, pauses left out.
ACTIVE_S = JobTable.active_s + now_s() - JobTable.started_at


def close_finished_jobs(session: Session, *, job_id: int | None = None) -> tuple[int, ...]:
    """End every running job that owes nothing any more (or only the one named).

    Two transactions that finish a job's last two chunks in the same moment may each see the other's as open; neither
    then closes it. Workers therefore ask once more behind their commit, and every sweep asks.

    Returns:
        The jobs that this call ended.
    """
    statement = (
        update(JobTable)
        .where(*_owes_nothing())
        .values(state=JobState.DONE, finished_at=now_s(), active_s=ACTIVE_S)
        .returning(JobTable.id)
    )
    if job_id is not None:
        statement = statement.where(JobTable.id == job_id)
    return tuple(session.scalars(statement, execution_options=NOT_TRACKED).all())


def is_left_open(session: Session, job_id: int) -> bool:
    """Whether a job owes nothing any more and has not been ended. A look costs less than a transaction that writes."""
    return session.scalars(select(exists().where(JobTable.id == job_id, *_owes_nothing()))).one()


def _owes_nothing() -> tuple[ColumnElement[bool], ...]:
    return (
        JobTable.state == JobState.RUNNING,
        JobTable.planned_at.is_not(None),
        ~exists().where(ChunkTable.job_id == JobTable.id, chunk_is(ChunkState.QUEUED)),
        ~exists().where(ChunkTable.job_id == JobTable.id, chunk_is(ChunkState.LEASED)),
    )
