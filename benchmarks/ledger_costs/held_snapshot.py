"""What a transaction that stays open does to claims: a backup, a report, a session that somebody forgot.

PostgreSQL keeps every version of a row that such a transaction might still want to see. Each claimed chunk leaves one
in front of the queue, and every later claim passes over all of them.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.ledger_costs import stock
from benchmarks.ledger_costs.stopwatch import Load, Stopwatch
from core.jobs import Claim, WorkerProfile
from db.database import Database
from db.ledger import leasing
from db.tables import JobTable

PARTS = 4


def measure(database: Database, url: str, *, num_claims: int) -> list[dict[str, Any]]:
    """Claims of one client by how many were claimed since: without an open transaction, and with one.

    Returns:
        For each part of the claims how many there were before it, and what one took.
    """
    found = []
    for is_held in (False, True):
        (job_id,) = stock.add_queues(database, num_jobs=1, num_chunks=num_claims)
        stock.tidy(database)
        found += _claim_all(url, job_id, num_claims, is_held=is_held)
    return found


def _claim_all(url: str, job_id: int, num_claims: int, *, is_held: bool) -> list[dict[str, Any]]:
    database, others = Database(url), Database(url)
    watch, size = Stopwatch(database), num_claims // PARTS
    profile = WorkerProfile("claims", warm=frozenset({stock.NETWORK}), only_job=job_id)

    def claim(session: Session) -> Claim | None:
        return leasing.claim(session, profile, lease_s=600.0)

    with others.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        if is_held:
            connection.execute(select(JobTable.id).limit(1))
        for part in range(PARTS):
            leases = watch.time(str(part), [lambda: database.transact(claim)] * size)
            for lease in leases:
                assert lease is not None, "the job has as many chunks"  # noqa: S101
                with database.write() as session:
                    leasing.finish(session, lease, [])
    others.close()
    database.close()
    costs = [watch.laps[str(part)].cost("claim", Load()) for part in range(PARTS)]
    return [
        {
            "is_held": is_held,
            "claimed": part * size,
            "median_ms": round(cost.median_ms, 3),
            "server_ms": round(cost.server_ms, 3),
        }
        for part, cost in enumerate(costs)
    ]
