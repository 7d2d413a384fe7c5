"""What a transaction that stays open does to claims: a backup, a report, a session that somebody forgot.

PostgreSQL keeps every version of a row that such a transaction might still want to see. Each claimed chunk leaves one
in front of the queue, and every later claim passes over all of them.
"""

import statistics
import time

from sqlalchemy import select

from benchmarks.ledger_costs import stock
from core.jobs import WorkerProfile
from db.database import Database
from db.ledger import leasing
from db.tables import JobTable

PART = 8  # of the claims; the first one is how it begins, the last how it ends


def measure(database: Database, url: str, *, num_claims: int) -> list[dict[str, float]]:
    """Claims of one client by how many were claimed since: with an open transaction, and without.

    Returns:
        For each, the median in milliseconds behind so many claims.
    """
    found = []
    for is_held in (False, True):
        (job_id,) = stock.add_queues(database, num_jobs=1, num_chunks=num_claims)
        stock.tidy(database)
        found += _claim_all(database, url, job_id, num_claims, is_held=is_held)
    return found


def _claim_all(database: Database, url: str, job_id: int, num_claims: int, *, is_held: bool) -> list[dict[str, float]]:
    others = Database(url)
    profile = WorkerProfile("claims", warm=frozenset({stock.NETWORK}), only_job=job_id)
    seconds: list[float] = []
    with others.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        if is_held:
            connection.execute(select(JobTable.id).limit(1))
        for _ in range(num_claims):
            started_at_s = time.perf_counter()
            with database.write() as session:
                lease = leasing.claim(session, profile, lease_s=600.0)
            seconds.append(time.perf_counter() - started_at_s)
            assert lease is not None, "the job has as many chunks"  # noqa: S101
            with database.write() as session:
                leasing.finish(session, lease, [])
    others.close()
    size = max(1, num_claims // PART)
    return [
        {"is_held": is_held, "claimed": first, "median_ms": round(1e3 * statistics.median(seconds[first:][:size]), 3)}
        for first in (0, num_claims - size)
    ]
