"""What the ledger looks like at one moment, read in one transaction. Knows nothing of Prometheus."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import JobKind, JobState
from db.clock import read_now
from db.ledger.counts import (
    Finished,
    Queued,
    finished_between,
    jobs_by_state,
    leased_chunks,
    queue,
    workers_seen_within,
)
from db.schedules import list_schedules
from orchestrator.fleet import FROZEN_FOR_S, GONE_FOR_S, WorkerState, state_of
from orchestrator.scheduling.cron import FireTimes

# What is finished is counted so long after its moment: a transaction writes its rows between that and its commit.
COMMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ledger at one moment."""

    at_s: float  # seconds since 1970, by the database's clock
    queue: Sequence[Queued]
    jobs: Mapping[tuple[JobKind, JobState], int]
    workers: Mapping[WorkerState, int]
    finished: Sequence[Finished]  # since the snapshot before; nothing for the first
    schedule_overdue_s: float  # since when the longest-forgotten fire time has passed; 0: none was forgotten


def take_snapshot(session: Session, *, before_s: float | None) -> Snapshot:
    """Look at the whole ledger.

    Args:
        session: a transaction that reads.
        before_s: when the snapshot before was taken, by the database's clock; None: this is the first.
    """
    at_s = read_now(session)
    finished = [] if before_s is None else finished_between(session, before_s - COMMIT_S, at_s - COMMIT_S)
    return Snapshot(
        at_s=at_s,
        queue=queue(session),
        jobs=jobs_by_state(session),
        workers=_workers(session, at_s),
        finished=finished,
        schedule_overdue_s=_overdue(session, at_s),
    )


def _workers(session: Session, at_s: float) -> Counter[WorkerState]:
    leased = leased_chunks(session)
    return Counter(
        state_of(worker, [chunk for chunk in leased if chunk.worker_id == worker.id], at_s)
        for worker in workers_seen_within(session, FROZEN_FOR_S + GONE_FOR_S)
    )


def _overdue(session: Session, at_s: float) -> float:
    passed = [
        _first_forgotten(schedule.cron, schedule.time_zone, schedule.considered_until)
        for schedule in list_schedules(session)
        if schedule.is_enabled
    ]
    return max((at_s - fire_at for fire_at in passed if fire_at is not None and fire_at < at_s), default=0.0)


def _first_forgotten(cron: str, time_zone: str, considered_until: float) -> float | None:
    try:
        return FireTimes(cron, time_zone).next_after(considered_until)
    except UsageError:
        # Written by another version, or where other time zones are known; the scheduler says so.
        return None
