"""How fast all workers together are, now and over the last hour, read from the chunks that they finished or have."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.types import ChunkState, JobState
from db.clock import read_now
from db.tables import ChunkTable, JobTable, WorkerTable, chunk_is
from orchestrator.fleet import SPEED_S, Span, rates

# The graph: so many columns of so many seconds, the last of which is the present.
NUM_COLUMNS = 60
COLUMN_S = 60.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Images per second of all workers together."""

    now: float  # of the last minute
    minutes: list[float]  # when each column ends, in seconds since 1970
    rates: list[float]  # of each column
    num_last_hour: int  # images


@dataclass(frozen=True, slots=True)
class Queue:
    """What is owed."""

    num_chunks: int
    num_images: int  # of these chunks
    num_leased: int  # chunks that somebody has


def measure_throughput(session: Session) -> Throughput:
    """Look at the last hour."""
    now = read_now(session)
    edges = [now - COLUMN_S * number for number in range(NUM_COLUMNS, -1, -1)]
    spans = _spans(session, now, since=edges[0])
    found = rates(spans, edges)
    return Throughput(
        now=rates(spans, [now - SPEED_S, now])[0],
        minutes=[round(edge) for edge in edges[1:]],
        rates=[round(rate, 2) for rate in found],
        num_last_hour=round(sum(rate * COLUMN_S for rate in found)),
    )


def measure_queue(session: Session) -> Queue:
    """Count what running jobs owe and nobody has."""
    running = select(JobTable.id).where(JobTable.state == JobState.RUNNING)
    queued = select(func.count(), func.coalesce(func.sum(ChunkTable.num_images), 0)).where(
        ChunkTable.job_id.in_(running), chunk_is(ChunkState.QUEUED)
    )
    num_chunks, num_images = session.execute(queued).one()
    leased = select(func.count()).where(ChunkTable.job_id.in_(running), chunk_is(ChunkState.LEASED))
    return Queue(int(num_chunks), int(num_images), session.scalars(leased).one())


def _spans(session: Session, now: float, *, since: float) -> list[Span]:
    # By workers, because that is what an index leads to.
    rows = session.execute(
        select(ChunkTable.state, ChunkTable.claimed_at, ChunkTable.finished_at, ChunkTable.num_processed)
        .where(ChunkTable.worker_id.in_(select(WorkerTable.id)))
        .where(or_(chunk_is(ChunkState.LEASED), ChunkTable.finished_at > since))
    )
    spans = []
    for state, claimed_at, finished_at, num_images in rows:
        to_s = now if finished_at is None or state is ChunkState.LEASED else finished_at
        spans.append(Span(to_s if claimed_at is None else claimed_at, to_s, num_images))
    return spans
