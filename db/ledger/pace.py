"""How long a job still takes, from the chunks of it that were finished last."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.jobs import Progress
from core.types import ChunkState, JobState
from db.clock import now_s
from db.tables import ChunkTable, JobTable, chunk_is

# Chunks that a speed is taken from. Those that are worked on at the same time tend to end together, so the more of them
# there are, the more are looked at.
MIN_CHUNKS = 32
ROUNDS = 4


def seconds_left(session: Session, job: JobTable, so_far: Progress) -> float | None:
    """How long a job still takes if it goes on as it did last; None if that is not known."""
    if job.state is not JobState.RUNNING or not so_far.is_planned:
        return None
    speed = images_per_s(session, job, num_in_progress=so_far.num_in_progress)
    if not speed:
        return None
    owed = select(func.coalesce(func.sum(ChunkTable.num_images), 0)).where(
        ChunkTable.job_id == job.id, ChunkTable.state.in_((ChunkState.QUEUED, ChunkState.LEASED))
    )
    return max(session.scalars(owed).one() - so_far.num_in_progress, 0) / speed


def images_per_s(session: Session, job: JobTable, *, num_in_progress: int) -> float | None:
    """How fast a job got on last, since it was last gone on with; None before its first chunk has ended."""
    leased = select(func.count()).where(ChunkTable.job_id == job.id, chunk_is(ChunkState.LEASED))
    limit = max(MIN_CHUNKS, ROUNDS * session.scalars(leased).one())
    rows = session.execute(
        select(ChunkTable.num_images, ChunkTable.claimed_at, ChunkTable.finished_at)
        .where(ChunkTable.job_id == job.id, ChunkTable.finished_at >= job.started_at, chunk_is(ChunkState.DONE))
        .order_by(ChunkTable.finished_at.desc())
        .limit(limit)
    ).all()
    if not rows:
        return None
    now = session.scalars(select(now_s())).one()
    if len(rows) < limit:
        # All that there are: from the first claim on.
        since = min((row.claimed_at for row in rows if row.claimed_at is not None), default=job.started_at)
        num_images = sum(row.num_images for row in rows) + num_in_progress
    else:
        since = rows[-1].finished_at
        num_images = sum(row.num_images for row in rows if row.finished_at > since)
    return float(num_images / (now - since)) if now > since else None
