"""The workers store: who works, what each has loaded, and what keeps it from working."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from core.types import ChunkState, JobKind
from db.clock import now_s
from db.ledger.leasing import release_worker
from db.tables import ChunkTable, WorkerTable, chunk_is

# Supervisors touch the rows of their workers at every sweep, several times in this long.
LIVE_WITHIN_S = 45.0
# Why a worker could not begin is told for so long.
TOLD_WITHIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """Which process a worker is."""

    id: str  # host:pid of the process that is supervised, kept over restarts of its child
    host: str
    pid: int  # of the process that computes


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself."""

    only_job: int | None = None  # the job that it works for alone, if it does
    kinds: Collection[JobKind] = frozenset(JobKind)  # what it takes
    device: str | None = None  # what it computes on, for people
    backbone_loads: Mapping[str, int] = field(default_factory=dict)  # how often it loaded each backbone
    warm: Sequence[str] = ()  # networks in its memory
    problems: Mapping[str, str] = field(default_factory=dict)  # why it cannot load others, by their names
    declines: str | None = None  # why it takes no work at all


def report(session: Session, identity: WorkerIdentity, said: WorkerReport) -> None:
    """Write a worker's own row."""
    now = session.scalars(select(now_s())).one()
    row = session.get(WorkerTable, identity.id)
    # The supervised process keeps its name when its child is replaced; the new child begins a life of its own.
    started_at = row.started_at if row is not None and row.pid == identity.pid else now
    session.merge(
        WorkerTable(
            id=identity.id,
            host=identity.host,
            pid=identity.pid,
            only_job=said.only_job,
            kinds=sorted(said.kinds),
            device=said.device,
            started_at=started_at,
            seen_at=now,
            stopped_at=None,
            backbone_loads=dict(said.backbone_loads),
            warm=list(said.warm),
            problems=dict(said.problems),
            declines=said.declines,
        )
    )


def report_unfit(session: Session, identity: WorkerIdentity, problem: str) -> None:
    """Write the row of a worker that ends before it has begun, and why."""
    report(session, identity, WorkerReport(declines=problem))
    stop(session, identity.id)


def decline_all(session: Session, worker_id: str, problem: str) -> None:
    """Say that a worker takes no work any more, and why."""
    session.execute(update(WorkerTable).where(WorkerTable.id == worker_id).values(declines=problem))


def touch(session: Session, worker_ids: Sequence[str]) -> None:
    """Say that workers are still there; done by whoever supervises them."""
    session.execute(update(WorkerTable).where(WorkerTable.id.in_(worker_ids)).values(seen_at=now_s()))


def stop(session: Session, worker_id: str) -> int:
    """Take leave: give back every chunk of a worker that ends on purpose, and say that it is gone.

    Returns:
        How many chunks it had.
    """
    session.execute(update(WorkerTable).where(WorkerTable.id == worker_id).values(stopped_at=now_s()))
    return release_worker(session, worker_id)


def num_finished_chunks(session: Session, worker_id: str) -> int:
    """How many chunks a worker has finished; asked only when it has died."""
    query = select(func.count()).where(ChunkTable.worker_id == worker_id, chunk_is(ChunkState.DONE))
    return session.scalars(query).one()


def live_workers(session: Session, job_id: int) -> Sequence[WorkerTable]:
    """The workers that would work for a job, have been seen lately and have not taken leave."""
    is_live = (
        WorkerTable.stopped_at.is_(None),
        WorkerTable.seen_at > now_s() - LIVE_WITHIN_S,
        or_(WorkerTable.only_job.is_(None), WorkerTable.only_job == job_id),
    )
    return session.scalars(select(WorkerTable).where(*is_live).order_by(WorkerTable.started_at)).all()


def takes(worker: WorkerTable, kind: JobKind) -> bool:
    """Whether a worker was started to do jobs of a kind."""
    return worker.kinds is None or kind in worker.kinds


def last_unfit(session: Session) -> WorkerTable | None:
    """The newest worker that ended before it had begun, if it was seen lately."""
    query = (
        select(WorkerTable)
        .where(WorkerTable.stopped_at > now_s() - TOLD_WITHIN_S, WorkerTable.declines.is_not(None))
        .order_by(WorkerTable.stopped_at.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def list_workers(session: Session) -> Sequence[WorkerTable]:
    """All workers that there is a row of, in the order in which they began."""
    return session.scalars(select(WorkerTable).order_by(WorkerTable.started_at, WorkerTable.id)).all()


def chunks_of_workers(session: Session, worker_ids: Sequence[str], *, within_s: float) -> Sequence[ChunkTable]:
    """The chunks that workers have at the moment, and those that they finished lately."""
    is_of_interest = or_(chunk_is(ChunkState.LEASED), ChunkTable.finished_at > now_s() - within_s)
    query = select(ChunkTable).where(ChunkTable.worker_id.in_(worker_ids), is_of_interest).order_by(ChunkTable.id)
    return session.scalars(query).all()


def reason_to_wait(workers: Sequence[WorkerTable], networks: Collection[str]) -> str | None:
    """Why none of these workers takes work that needs all of these networks; None if one does, or there is none."""
    problems = [problem_with(worker, networks) for worker in workers]
    return problems[0] if problems and all(problems) else None


def problem_with(worker: WorkerTable, networks: Collection[str]) -> str | None:
    """Why a worker takes no work that needs all of these networks; None if it does."""
    problems = (worker.problems[name] for name in networks if name in worker.problems)
    return worker.declines or next(problems, None)
