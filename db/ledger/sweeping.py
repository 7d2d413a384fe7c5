"""Taking chunks back from workers that died, and finding the image that kills them.

A lease that ran out counts as a death, because nobody can tell a dead worker from a frozen one; the fence makes the
mistake harmless. A chunk with two deaths is cut in two, and each half starts with one death, so that it is cut again
as soon as it kills once more. An image that is alone in its chunk starts at none and must kill three workers.

A training cannot be cut. It goes on from its last checkpoint, and fails when three workers in a row died without
getting to the next.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.orm import Session

from core.jobs import ImageError, Outcome, SweepReport
from core.types import ChunkState, Reason
from db.clock import now_s
from db.ledger import control
from db.ledger.accepting import new_chunk
from db.ledger.closing import close_finished_jobs
from db.ledger.leasing import owed_ordinals, write_outcomes
from db.tables import ChunkTable, JobModelTable, JobTable, chunk_is

DEATHS_TO_BISECT = 2
DEATHS_TO_GIVE_UP = 3

_TRAINING_DIED = (
    "{} workers in a row died before the training got to its next checkpoint. Memory may be too small for it: train "
    "with a smaller backbone or fewer unfrozen layers, or give workers more; `labelyard jobs resume` tries again."
)


def sweep(session: Session) -> SweepReport:
    """Take back every lease that ran out, and end the jobs that owe nothing any more."""
    return _take_back(session, ChunkTable.lease_expires_at < now_s())


def close_only(session: Session) -> SweepReport:
    """End the jobs that owe nothing any more, and leave leases alone."""
    return SweepReport(finished_jobs=close_finished_jobs(session))


def worker_died(session: Session, worker_id: str) -> SweepReport:
    """Take back what a worker held that is known to be dead, without waiting for its leases to run out."""
    return _take_back(session, ChunkTable.worker_id == worker_id)


def _take_back(session: Session, condition: ColumnElement[bool]) -> SweepReport:
    chunks = session.scalars(
        select(ChunkTable)
        .where(chunk_is(ChunkState.LEASED), condition)
        .order_by(ChunkTable.id)
        .with_for_update(skip_locked=True)
    ).all()
    trainings = _trainings(session, {chunk.job_id for chunk in chunks})
    num_bisected = num_given_up = 0
    for chunk in chunks:
        chunk.deaths += 1
        chunk.state = ChunkState.QUEUED
        chunk.worker_id = chunk.lease_expires_at = None
        if chunk.job_id in trainings:
            if chunk.deaths >= DEATHS_TO_GIVE_UP:
                control.fail(session, chunk.job_id, _TRAINING_DIED.format(chunk.deaths))
        elif chunk.num_images > 1 and chunk.deaths >= DEATHS_TO_BISECT:
            _bisect(session, chunk)
            num_bisected += 1
        elif chunk.num_images == 1 and chunk.deaths >= DEATHS_TO_GIVE_UP:
            _give_up(session, chunk)
            num_given_up += 1
    session.flush()
    return SweepReport(
        num_requeued=len(chunks) - num_bisected - num_given_up,
        num_bisected=num_bisected,
        num_given_up=num_given_up,
        finished_jobs=close_finished_jobs(session),
    )


def _trainings(session: Session, job_ids: Collection[int]) -> frozenset[int]:
    """Those of these jobs that are trainings."""
    kinds = select(JobTable.id).where(JobTable.id.in_(job_ids), JobTable.kind.in_(control.TRAINING_KINDS))
    return frozenset(session.scalars(kinds))


def _bisect(session: Session, chunk: ChunkTable) -> None:
    ordinals = session.scalars(
        owed_ordinals(chunk.job_id, chunk.first_ordinal, chunk.last_ordinal, redo=chunk.redo)
    ).all()
    middle = len(ordinals) // 2
    second = new_chunk(chunk.job_id, ordinals[middle], chunk.last_ordinal)
    second |= {
        "redo": chunk.redo,
        "num_images": len(ordinals) - middle,
        "deaths": _deaths_of_half(len(ordinals) - middle),
    }
    session.execute(insert(ChunkTable), [second])
    chunk.last_ordinal = ordinals[middle - 1]
    chunk.num_images = middle
    chunk.deaths = _deaths_of_half(middle)


def _deaths_of_half(num_images: int) -> int:
    return 0 if num_images == 1 else DEATHS_TO_BISECT - 1


def _give_up(session: Session, chunk: ChunkTable) -> None:
    (ordinal,) = session.scalars(
        owed_ordinals(chunk.job_id, chunk.first_ordinal, chunk.last_ordinal, redo=chunk.redo)
    ).all()
    error = ImageError(
        Reason.WORKER_DIED,
        f"{chunk.deaths} workers died while they worked on this image alone. It may be malicious or hit a bug "
        "in a decoder; look at it in a sandbox, then `labelyard jobs retry`.",
    )
    model_ids = session.scalars(select(JobModelTable.model_id).where(JobModelTable.job_id == chunk.job_id)).all()
    write_outcomes(
        session, chunk.job_id, [Outcome(ordinal, model_id, error) for model_id in model_ids], redo=chunk.redo
    )
    chunk.state = ChunkState.DONE
    chunk.finished_at = session.scalars(select(now_s())).one()
    chunk.num_errors = 0 if chunk.redo else 1
