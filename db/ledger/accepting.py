"""Accepting a job and planning its images and chunks behind a cursor."""

from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from core.errors import KeyReusedError
from core.items import Item, escape_name, locator_to_text
from core.jobs import Idempotency, JobRequest
from core.types import ChunkState, JobState
from db.bulk import insert_rows
from db.clock import now_s
from db.tables import ChunkTable, JobModelTable, JobTable


def accept(session: Session, request: JobRequest) -> int:
    """Write a job; from its commit on, every image of its sources is owed a row.

    Returns:
        The job's id.
    """
    now = session.scalars(select(now_s())).one()
    job_id = session.scalars(
        insert(JobTable).returning(JobTable.id),
        {
            "kind": request.kind,
            "state": JobState.RUNNING,
            "name": request.name,
            "priority": int(request.priority),
            "options": request.options.to_json(),
            "sources": [dict(source) for source in request.sources],
            "request_hash": request.request_hash,
            "idempotency_key": None if request.idempotency is None else request.idempotency.key,
            "idempotency_body": None if request.idempotency is None else request.idempotency.body,
            "num_planned": 0,
            "num_skipped": 0,
            "created_at": now,
            "started_at": now,
            "active_s": 0.0,
        },
    ).one()
    session.execute(
        insert(JobModelTable),
        [
            {"job_id": job_id, "position": position, "model_id": model_id}
            for position, model_id in enumerate(request.model_ids)
        ],
    )
    return job_id


def find_unfinished(session: Session, request_hash: str) -> int | None:
    """The newest job that made the same request and has not ended, if there is one."""
    return session.scalars(
        select(JobTable.id)
        .where(JobTable.request_hash == request_hash, JobTable.state.in_((JobState.RUNNING, JobState.PAUSED)))
        .order_by(JobTable.id.desc())
        .limit(1)
    ).one_or_none()


def find_by_key(session: Session, idempotency: Idempotency) -> int | None:
    """The job that a request with this key has become, if there is one.

    Raises:
        KeyReusedError: it asked for something else.
    """
    found = session.execute(
        select(JobTable.id, JobTable.idempotency_body).where(JobTable.idempotency_key == idempotency.key)
    ).one_or_none()
    if found is None:
        return None
    if found.idempotency_body != idempotency.body:
        raise KeyReusedError(
            f"This Idempotency-Key came with another request before, which became job {found.id}. Expected the same "
            "request again, or a key of its own for this one."
        )
    return int(found.id)


def append_items(
    session: Session, job_id: int, items: Sequence[Item], *, after: int, cursor: str, chunk_size: int
) -> bool:
    """Append one batch of images and their chunks.

    Args:
        session: a writing transaction.
        job_id: the job that is being planned.
        items: the next images, in source order.
        after: how many images the planner believes to be planned already.
        cursor: where planning goes on behind this batch.
        chunk_size: images per chunk; the batch's last chunk may be smaller.

    Returns:
        False, and nothing is written, if another planner has moved on in the meantime, or the job does not run.
    """
    moved = session.execute(
        update(JobTable)
        .where(
            JobTable.id == job_id,
            JobTable.state == JobState.RUNNING,
            JobTable.num_planned == after,
            JobTable.planned_at.is_(None),
        )
        .values(num_planned=after + len(items), plan_cursor=cursor)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return False
    images = (
        (job_id, ordinal, escape_name(item.name), locator_to_text(item.locator), item.sha256)
        for ordinal, item in enumerate(items, start=after)
    )
    insert_rows(session, "image", ("job_id", "ordinal", "name", "locator", "sha256"), images)
    session.execute(
        insert(ChunkTable),
        [
            new_chunk(job_id, first, min(first + chunk_size, after + len(items)) - 1)
            for first in range(after, after + len(items), chunk_size)
        ],
    )
    return True


def finish_planning(session: Session, job_id: int, *, num_skipped: int) -> None:
    """Say that a job's images are all appended; only then can it end."""
    session.execute(
        update(JobTable)
        .where(JobTable.id == job_id, JobTable.planned_at.is_(None))
        .values(planned_at=now_s(), num_skipped=num_skipped)
    )


def new_chunk(job_id: int, first: int, last: int) -> dict[str, object]:
    """The row of a fresh chunk over the ordinals `first`..`last`, both included."""
    return {
        "job_id": job_id,
        "first_ordinal": first,
        "last_ordinal": last,
        "num_images": last - first + 1,
        "redo": False,
        "state": ChunkState.QUEUED,
        "attempt": 0,
        "deaths": 0,
        "num_processed": 0,
        "num_predictions": 0,
        "num_errors": 0,
    }
