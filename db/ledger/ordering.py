"""Which job is next: urgent ones first, nobody starves, and jobs of one priority share the workers."""

from functools import lru_cache

from sqlalchemy import Integer, Select, Subquery, and_, case, exists, func, literal_column, select

from core.jobs import WorkerProfile
from core.types import ChunkState, JobState
from db.clock import now_s
from db.model_tables import ModelTable
from db.tables import ChunkTable, JobModelTable, JobTable, chunk_is

# A job that was handed nothing for so long goes before all others of its priority; a new one, which shows nobody yet
# that it gets on, sooner.
STARVING_AFTER_S = 30.0
NEW_STARVING_AFTER_S = 5.0
# A network that the worker would have to load counts like so many chunks that its job has already. It is what a worker
# has at a time, so one that is alone does not change networks with every chunk, and of many each job gets its share.
COLD_COUNTS_AS = 2
# How many jobs a claim looks at before it says that there is no work; more only matters if all of them are contended.
NUM_CANDIDATE_JOBS = 16


@lru_cache(maxsize=16)
def jobs_in_order(profile: WorkerProfile) -> Select[int]:
    """The ids of the jobs that a worker may take a chunk of, the next one first."""
    # A worker asks the same again and again, and building the query takes longer than running it.
    leased = _leased_by_job()
    last_claimed_at = select(func.max(ChunkTable.claimed_at)).where(ChunkTable.job_id == JobTable.id).scalar_subquery()
    starves_at = func.coalesce(last_claimed_at + STARVING_AFTER_S, JobTable.created_at + NEW_STARVING_AFTER_S)
    cold = case((_uses_network(profile.warm), 0), else_=COLD_COUNTS_AS)
    query = (
        select(JobTable.id)
        .outerjoin(leased, leased.c.owner == JobTable.id)
        .where(
            JobTable.state == JobState.RUNNING,
            exists().where(ChunkTable.job_id == JobTable.id, chunk_is(ChunkState.QUEUED)),
            JobTable.kind.in_(sorted(profile.kinds)),
            ~_uses_network(profile.unavailable),
        )
        .order_by(
            JobTable.priority,
            (starves_at < now_s()).desc(),
            func.coalesce(leased.c.number, 0) + cold,
            func.coalesce(last_claimed_at, 0.0),
            JobTable.id,
        )
        .limit(NUM_CANDIDATE_JOBS)
    )
    return query if profile.only_job is None else query.where(JobTable.id == profile.only_job)


def _leased_by_job() -> Subquery:
    """How many leased chunks each job has, counted for all jobs in one pass over the index of leases.

    Asked job by job, PostgreSQL reads all leases for each of them: 11 ms a claim at 2,000 leases and 100 jobs, where
    this takes 2 ms.
    """
    # A sum, because by the bare column SQLite would group along the index that is in its order, over all chunks.
    owner = (ChunkTable.job_id + literal_column("0", Integer)).label("owner")
    return select(owner, func.count().label("number")).where(chunk_is(ChunkState.LEASED)).group_by(owner).subquery()


def _uses_network(names: frozenset[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - an SQL condition
    return exists().where(
        and_(
            JobModelTable.job_id == JobTable.id,
            ModelTable.id == JobModelTable.model_id,
            ModelTable.network.in_(sorted(names)),
        )
    )
