"""How far jobs are, derived from their chunks; no row is written to keep count."""

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.jobs import Progress, StageSeconds
from core.types import ChunkState, JobKind, JobState
from db.ledger.control import get_job
from db.model_tables import ModelTable
from db.tables import ChunkTable, JobModelTable, JobTable, ResultTable, WorkerTable, chunk_is


def progress(session: Session, job_id: int) -> Progress:
    """How far one job is.

    Raises:
        UnknownJobError: there is no such job.
    """
    job = get_job(session, job_id)
    in_progress = case((chunk_is(ChunkState.LEASED), ChunkTable.num_processed), else_=0)
    sums = session.execute(
        select(
            func.coalesce(func.sum(ChunkTable.num_predictions), 0),
            func.coalesce(func.sum(ChunkTable.num_errors), 0),
            func.coalesce(func.sum(in_progress), 0),
        ).where(ChunkTable.job_id == job_id)
    ).one()
    return Progress(job.num_planned, job.planned_at is not None, *(int(value) for value in sums))


def list_jobs(
    session: Session,
    *,
    limit: int = 50,
    before: int | None = None,
    kind: JobKind | None = None,
    state: JobState | None = None,
) -> Sequence[JobTable]:
    """The newest jobs, newest first; `before` is the last id of the page in front."""
    query = select(JobTable).order_by(JobTable.id.desc()).limit(limit)
    if before is not None:
        query = query.where(JobTable.id < before)
    if kind is not None:
        query = query.where(JobTable.kind == kind)
    if state is not None:
        query = query.where(JobTable.state == state)
    return session.scalars(query).all()


def models_of(session: Session, job_id: int) -> Sequence[ModelTable]:
    """The models that a job applies, in the order that was asked for."""
    return session.scalars(
        select(ModelTable)
        .join(JobModelTable, JobModelTable.model_id == ModelTable.id)
        .where(JobModelTable.job_id == job_id)
        .order_by(JobModelTable.position)
    ).all()


def workers_of(session: Session, job_id: int) -> Sequence[WorkerTable]:
    """The workers that have, or were last to have, a chunk of a job."""
    ids = select(ChunkTable.worker_id).where(ChunkTable.job_id == job_id).distinct()
    return session.scalars(select(WorkerTable).where(WorkerTable.id.in_(ids)).order_by(WorkerTable.started_at)).all()


def count_chunks(session: Session, job_id: int) -> dict[ChunkState, int]:
    """How many chunks of a job are in each state."""
    rows = session.execute(
        select(ChunkTable.state, func.count()).where(ChunkTable.job_id == job_id).group_by(ChunkTable.state)
    )
    return {state: count for state, count in rows}  # noqa: C416 - rows are not pairs to a type checker


def stage_seconds(session: Session, job_id: int) -> StageSeconds:
    """What the finished chunks of a job took, stage by stage, added up over all workers."""
    names = [field.name for field in fields(StageSeconds)]
    sums = [func.coalesce(func.sum(getattr(ChunkTable, name)), 0.0) for name in names]
    row = session.execute(select(*sums).where(ChunkTable.job_id == job_id)).one()
    return StageSeconds(**dict(zip(names, row, strict=True)))


def count_reasons(session: Session, job_id: int) -> dict[str, int]:
    """How many images of a job ended in each kind of error, most frequent first."""
    number = func.count(func.distinct(ResultTable.ordinal))
    rows = session.execute(
        select(ResultTable.reason, number)
        .where(ResultTable.job_id == job_id, ResultTable.reason.is_not(None))
        .group_by(ResultTable.reason)
        .order_by(number.desc(), ResultTable.reason)
    )
    return {str(reason): count for reason, count in rows}
