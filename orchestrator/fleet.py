"""What there is to say about the workers, as frozen values: the CLI draws them, `--json` dumps them.

How fast one works is read from the chunks that it finished or has; no worker counts for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.types import ChunkState
from db.clock import now_s
from db.tables import ChunkTable, WorkerTable
from db.workers import LIVE_WITHIN_S, chunks_of_workers, list_workers

# The graph: so many columns, each of so many seconds, the last of which is the present.
NUM_COLUMNS = 20
COLUMN_S = 30.0
# A speed in numbers is that of the last while.
SPEED_S = 60.0
# A worker that is not heard of any more may be frozen; after this long it is taken for dead.
FROZEN_FOR_S = 600.0
# And after this long it is shown only to those who ask for all.
GONE_FOR_S = 900.0


class WorkerState(StrEnum):
    """What a worker is doing, as far as anybody can tell."""

    WORKING = "working"
    IDLE = "idle"
    DECLINING = "declining"  # it says why it takes some work, or all of it, not
    FROZEN = "frozen"  # not heard of, or a lease of it ran out
    GONE = "gone"  # it took leave, or was not heard of for long


@dataclass(frozen=True, slots=True)
class ChunkInHand:
    """A chunk that a worker has at the moment."""

    job_id: int
    chunk_id: int
    num_processed: int
    num_images: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker."""

    id: str
    state: WorkerState
    device: str | None  # what it computes on
    kinds: list[str] | None  # the jobs that it takes; None: not noted
    only_job: int | None  # the job that it works for alone
    started_at: float  # seconds since 1970
    seen_s_ago: float
    warm: list[str]  # networks in its memory
    images_per_s: float
    rates: list[float]  # images/s in each column of the graph, oldest first
    chunks: list[ChunkInHand]
    problems: list[str]  # sentences

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Span:
    """Images that were processed evenly over some time."""

    from_s: float
    to_s: float
    num_images: int


def list_fleet(session: Session, *, all_of_them: bool = False) -> list[WorkerStatus]:
    """Look at the workers.

    Args:
        session: any transaction.
        all_of_them: also those that have been gone for long.
    """
    now = session.scalars(select(now_s())).one()
    workers = [worker for worker in list_workers(session) if all_of_them or _gone_for(worker, now) < GONE_FOR_S]
    chunks = chunks_of_workers(session, [worker.id for worker in workers], within_s=NUM_COLUMNS * COLUMN_S)
    return [_status(worker, [chunk for chunk in chunks if chunk.worker_id == worker.id], now) for worker in workers]


def rates(spans: Iterable[Span], edges: Sequence[float]) -> list[float]:
    """Images per second between each two of some moments.

    Args:
        spans: what was processed, and when.
        edges: moments, ascending.
    """
    found = [0.0] * (len(edges) - 1)
    for span in spans:
        # What took no time at all still happened.
        to_s = max(span.to_s, span.from_s + 1e-3)
        for number, (left, right) in enumerate(pairwise(edges)):
            overlap = min(to_s, right) - max(span.from_s, left)
            if overlap > 0:
                found[number] += span.num_images * overlap / (to_s - span.from_s) / (right - left)
    return found


def _status(worker: WorkerTable, chunks: Sequence[ChunkTable], now: float) -> WorkerStatus:
    leased = [chunk for chunk in chunks if chunk.state is ChunkState.LEASED]
    spans = [_span(chunk, now) for chunk in chunks]
    edges = [now - COLUMN_S * number for number in range(NUM_COLUMNS, -1, -1)]
    problems = [worker.declines] if worker.declines else list(dict.fromkeys(worker.problems.values()))
    state = state_of(worker, leased, now)
    return WorkerStatus(
        id=worker.id,
        state=state,
        device=worker.device,
        kinds=worker.kinds,
        only_job=worker.only_job,
        started_at=worker.started_at,
        seen_s_ago=round(max(now - worker.seen_at, 0.0), 1),
        warm=[] if state is WorkerState.GONE else list(worker.warm or ()),
        images_per_s=round(rates(spans, [now - SPEED_S, now])[0], 2),
        rates=[round(rate, 2) for rate in rates(spans, edges)],
        chunks=[ChunkInHand(chunk.job_id, chunk.id, chunk.num_processed, chunk.num_images) for chunk in leased],
        problems=problems,
    )


def _span(chunk: ChunkTable, now: float) -> Span:
    to_s = now if chunk.finished_at is None or chunk.state is ChunkState.LEASED else chunk.finished_at
    return Span(to_s if chunk.claimed_at is None else chunk.claimed_at, to_s, chunk.num_processed)


def state_of(worker: WorkerTable, leased: Sequence[ChunkTable], now: float) -> WorkerState:
    """What a worker is doing.

    Args:
        worker: its row.
        leased: the chunks that it has.
        now: the present moment by the database's clock, in seconds since 1970.
    """
    silent_s = now - worker.seen_at
    if worker.stopped_at is not None or silent_s > FROZEN_FOR_S:
        return WorkerState.GONE
    has_lost_a_lease = any(chunk.lease_expires_at is not None and chunk.lease_expires_at < now for chunk in leased)
    if silent_s > LIVE_WITHIN_S or has_lost_a_lease:
        return WorkerState.FROZEN
    if leased:
        return WorkerState.WORKING
    return WorkerState.DECLINING if worker.declines or worker.problems else WorkerState.IDLE


def _gone_for(worker: WorkerTable, now: float) -> float:
    if worker.stopped_at is not None:
        return now - worker.stopped_at
    return max(now - worker.seen_at - FROZEN_FOR_S, 0.0)
