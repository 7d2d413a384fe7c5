"""Counting the whole ledger, for those who watch it. No row is read that is not owed, held, or finished just now.

Queries go along the indices of open and of lately finished chunks; what was done long ago costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select
from sqlalchemy.orm import Session

from core.types import ChunkState, JobKind, JobState, Priority
from db.clock import now_s
from db.tables import ChunkTable, JobTable, WorkerTable, chunk_is


@dataclass(frozen=True, slots=True)
class Queued:
    """What running jobs of one kind and priority owe."""

    kind: JobKind
    priority: Priority
    state: ChunkState  # queued, or leased
    num_chunks: int
    num_images: int
    num_deaths: int  # of workers, over these chunks
    num_overdue: int  # leases that ran out and that no sweep has taken back yet


@dataclass(frozen=True, slots=True)
class Finished:
    """What was finished of one kind of job in some time."""

    kind: JobKind
    num_chunks: int
    num_labelled: int  # images
    num_errors: int  # images


def queue(session: Session) -> list[Queued]:
    """What is owed; chunks of jobs that do not run are nobody's to do, unless a worker has them."""
    rows = [*_queued(session, ChunkState.QUEUED), *_queued(session, ChunkState.LEASED)]
    return [
        Queued(
            kind=row.kind,
            priority=Priority(row.priority),
            state=row.state,
            num_chunks=row.num_chunks,
            num_images=int(row.num_images),
            num_deaths=int(row.num_deaths),
            num_overdue=int(row.num_overdue),
        )
        for row in rows
    ]


def jobs_by_state(session: Session) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs there are of each kind in each state; those that were deleted are not."""
    rows = session.execute(select(JobTable.kind, JobTable.state, func.count()).group_by(JobTable.kind, JobTable.state))
    return {(kind, state): count for kind, state, count in rows}


def finished_between(session: Session, after_s: float, until_s: float) -> list[Finished]:
    """What was finished in some time, trainings left out; a second try of an image counts as another one.

    Args:
        session: any transaction.
        after_s: seconds since 1970 by the database's clock, not included.
        until_s: likewise, included.
    """
    kinds = [kind for kind in JobKind if not kind.is_training]
    # Job by job, each along its index; a job that had ended before that has finished nothing since.
    jobs = select(JobTable.id).where(
        JobTable.kind.in_(kinds), or_(JobTable.finished_at.is_(None), JobTable.finished_at > after_s)
    )
    # Of a second try `num_errors` is the change.
    errors = case((ChunkTable.redo, ChunkTable.num_images + ChunkTable.num_errors), else_=ChunkTable.num_errors)
    rows = session.execute(
        select(JobTable.kind, func.count(), func.sum(ChunkTable.num_predictions), func.sum(errors))
        .join(JobTable, JobTable.id == ChunkTable.job_id)
        .where(
            ChunkTable.job_id.in_(jobs),
            ChunkTable.finished_at > after_s,
            ChunkTable.finished_at <= until_s,
            chunk_is(ChunkState.DONE),
        )
        .group_by(JobTable.kind)
    )
    return [Finished(kind, *(int(value) for value in values)) for kind, *values in rows]


def leased_chunks(session: Session) -> Sequence[ChunkTable]:
    """The chunks that workers have."""
    return session.scalars(select(ChunkTable).where(chunk_is(ChunkState.LEASED))).all()


def workers_seen_within(session: Session, seconds: float) -> Sequence[WorkerTable]:
    """The workers that were heard of lately."""
    return session.scalars(select(WorkerTable).where(WorkerTable.seen_at > now_s() - seconds)).all()


def _queued(session: Session, state: ChunkState) -> Sequence[Row[Any]]:
    condition = chunk_is(state)
    if state is ChunkState.QUEUED:
        condition = and_(condition, JobTable.state == JobState.RUNNING)
    is_overdue = case((ChunkTable.lease_expires_at < now_s(), 1), else_=0)
    groups = (JobTable.kind, JobTable.priority, ChunkTable.state)
    return session.execute(
        select(
            *groups,
            func.count().label("num_chunks"),
            func.sum(ChunkTable.num_images).label("num_images"),
            func.sum(ChunkTable.deaths).label("num_deaths"),
            func.sum(is_overdue).label("num_overdue"),
        )
        .join(JobTable, JobTable.id == ChunkTable.job_id)
        .where(condition)
        .group_by(*groups)
    ).all()
