"""Handing chunks to workers: claim, renew, release, finish.

A finish is fenced: it names the attempt that its claim was given, and writes nothing when a later claim has been made.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from sqlalchemy import Select, delete, exists, select, update
from sqlalchemy.orm import Session

from core.jobs import Claim, Outcome, Prediction, StageSeconds, WorkerProfile
from core.types import ChunkState, JobState
from db.bulk import insert_rows
from db.clock import now_s
from db.ledger.closing import NOT_TRACKED, close_finished_jobs
from db.ledger.ordering import jobs_in_order
from db.rows import RESULT_COLUMNS, result_row
from db.tables import ChunkTable, ImageTable, JobTable, ResultTable, chunk_is


def claim(session: Session, profile: WorkerProfile, *, lease_s: float, proposed: int | None = None) -> Claim | None:
    """Lease one chunk to a worker.

    The order is: urgent before bulk, then jobs that starve, then the job with the fewest leased chunks, where a network
    that the worker does not hold counts as some, then the one that was handed nothing for longest, then the oldest.

    Args:
        session: a writing transaction.
        profile: who asks, and what it can do.
        lease_s: seconds until the lease runs out unless it is renewed.
        proposed: the chunk that a wake-up named. It is handed out if its job is next in order, and is no more than
            a proposal.

    Returns:
        None if there is nothing that this worker could do.
    """
    for job_id in session.scalars(jobs_in_order(profile)).all():
        chunk_id = _lock_queued_chunk(session, job_id, proposed)
        if chunk_id is not None:
            return _lease(session, chunk_id, profile.worker_id, lease_s)
    return None


def renew(session: Session, lease: Claim, *, lease_s: float, num_processed: int) -> bool:
    """Prolong a lease because images were processed.

    Returns:
        False if the lease is no longer this worker's.
    """
    return _update_leased(session, lease, lease_expires_at=now_s() + lease_s, num_processed=num_processed)


def holds(session: Session, lease: Claim) -> bool:
    """Whether a lease is still this worker's, and its job not over.

    Reads two rows by their keys, so it may be asked several times a second.
    """
    # A claim and a cancel in the same moment do not see each other on PostgreSQL, and then nobody revokes the lease.
    query = (
        select(ChunkTable.attempt)
        .join(JobTable, JobTable.id == ChunkTable.job_id)
        .where(
            ChunkTable.id == lease.chunk_id,
            chunk_is(ChunkState.LEASED),
            JobTable.state.in_((JobState.RUNNING, JobState.PAUSED)),
        )
    )
    return session.scalars(query).one_or_none() == lease.attempt


def checkpoint(session: Session, lease: Claim) -> bool:
    """Note that a long chunk got somewhere that it can go on from: deaths before that do not count any more.

    Returns:
        False if the lease is no longer this worker's.
    """
    return _update_leased(session, lease, deaths=0)


def release(session: Session, lease: Claim) -> bool:
    """Give a chunk back undone, without holding anything against it.

    Returns:
        False if the lease is no longer this worker's.
    """
    return _update_leased(session, lease, state=ChunkState.QUEUED, worker_id=None, lease_expires_at=None)


def release_worker(session: Session, worker_id: str, *, but: Collection[int] = ()) -> int:
    """Give back every chunk of a worker that does not work on them any more.

    Args:
        session: a writing transaction.
        worker_id: the worker.
        but: chunks that it is not to give back.

    Returns:
        How many chunks it gave back.
    """
    result = session.execute(
        update(ChunkTable)
        .where(chunk_is(ChunkState.LEASED), ChunkTable.worker_id == worker_id, ChunkTable.id.not_in(but))
        .values(state=ChunkState.QUEUED, worker_id=None, lease_expires_at=None)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def finish(session: Session, lease: Claim, outcomes: Sequence[Outcome], *, seconds: StageSeconds | None = None) -> bool:
    """Write the outcomes of a chunk and end it, if the lease still holds.

    Args:
        session: a writing transaction.
        lease: the claim that the work was done under.
        outcomes: one per owed image and model.
        seconds: what the work took, for those who look at it later; writing is added here.

    Returns:
        False, and nothing is written, if another worker has claimed the chunk since.
    """
    # Images are counted, not rows: one that any of the job's models has no answer to has an error.
    num_errors = len({outcome.ordinal for outcome in outcomes if not isinstance(outcome.result, Prediction)})
    num_predictions = lease.num_images - num_errors
    held = _update_leased(
        session,
        lease,
        state=ChunkState.DONE,
        finished_at=now_s(),
        lease_expires_at=None,
        num_processed=lease.num_images,
        num_predictions=num_predictions,
        # A redo's images were counted as errors before, so it takes away what it mended.
        num_errors=num_errors - lease.num_images if lease.redo else num_errors,
    )
    if not held:
        return False
    started_at_s = time.monotonic()
    write_outcomes(session, lease.job_id, outcomes, redo=lease.redo)
    if seconds is not None:
        spent = replace(seconds, write_s=seconds.write_s + time.monotonic() - started_at_s)
        session.execute(
            update(ChunkTable).where(ChunkTable.id == lease.chunk_id).values(**asdict(spent)),
            execution_options=NOT_TRACKED,
        )
    close_finished_jobs(session, job_id=lease.job_id)
    return True


def write_outcomes(session: Session, job_id: int, outcomes: Sequence[Outcome], *, redo: bool) -> None:
    """Insert result rows; with `redo`, in place of all rows of the images in their range that have an error."""
    if redo and outcomes:
        ordinals = {outcome.ordinal for outcome in outcomes}
        in_range = (ResultTable.job_id == job_id, ResultTable.ordinal.between(min(ordinals), max(ordinals)))
        failed = select(ResultTable.ordinal).where(*in_range, ResultTable.reason.is_not(None))
        session.execute(delete(ResultTable).where(*in_range, ResultTable.ordinal.in_(failed)))
    insert_rows(session, "result", RESULT_COLUMNS, (result_row(job_id, outcome) for outcome in outcomes))


def owed_ordinals(job_id: int, first: int, last: int, *, redo: bool) -> Select[int]:
    """The images that a chunk owes, as a query: all of its range, or those of it that have error rows."""
    query = select(ImageTable.ordinal).where(ImageTable.job_id == job_id, ImageTable.ordinal.between(first, last))
    if redo:
        query = query.where(
            exists().where(
                ResultTable.job_id == job_id,
                ResultTable.ordinal == ImageTable.ordinal,
                ResultTable.reason.is_not(None),
            )
        )
    return query.order_by(ImageTable.ordinal)


def _lock_queued_chunk(session: Session, job_id: int, proposed: int | None) -> int | None:
    queued = (
        select(ChunkTable.id)
        .where(ChunkTable.job_id == job_id, chunk_is(ChunkState.QUEUED))
        .with_for_update(skip_locked=True)
    )
    queries = [queued.order_by(ChunkTable.id).limit(1)]
    if proposed is not None:
        queries.insert(0, queued.where(ChunkTable.id == proposed))
    found = (session.scalars(query).one_or_none() for query in queries)
    return next((chunk_id for chunk_id in found if chunk_id is not None), None)


def _lease(session: Session, chunk_id: int, worker_id: str, lease_s: float) -> Claim:
    row = session.execute(
        update(ChunkTable)
        .where(ChunkTable.id == chunk_id)
        .values(
            state=ChunkState.LEASED,
            attempt=ChunkTable.attempt + 1,
            worker_id=worker_id,
            claimed_at=now_s(),
            lease_expires_at=now_s() + lease_s,
            num_processed=0,
        )
        .returning(
            select(JobTable.kind).where(JobTable.id == ChunkTable.job_id).scalar_subquery(),
            ChunkTable.job_id,
            ChunkTable.id,
            ChunkTable.attempt,
            ChunkTable.first_ordinal,
            ChunkTable.last_ordinal,
            ChunkTable.num_images,
            ChunkTable.redo,
            ChunkTable.deaths,
        )
    ).one()
    return Claim(*row, worker_id=worker_id)  # type: ignore[misc]


def _update_leased(session: Session, lease: Claim, **values: object) -> bool:
    result = session.execute(
        update(ChunkTable)
        .where(
            ChunkTable.id == lease.chunk_id,
            ChunkTable.attempt == lease.attempt,
            chunk_is(ChunkState.LEASED),
        )
        .values(**values),
        execution_options=NOT_TRACKED,
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]
