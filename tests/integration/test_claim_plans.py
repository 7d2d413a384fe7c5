"""What a claim costs the databases does not grow with jobs times leases; told from their plans, not from a clock."""

from collections.abc import Iterator
from typing import Any

import pytest
from ledger_steps import ANNA, claim, job_with
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite

from db.database import Database
from db.ledger.ordering import jobs_in_order

NUM_JOBS, NUM_LEASES = 20, 100
# As many chunks as make PostgreSQL prefer the small index of leases to one over all chunks.
COPY_CHUNKS = """
    INSERT INTO chunk (job_id, first_ordinal, last_ordinal, num_images, redo, state, attempt, deaths, num_processed,
                       num_predictions, num_errors)
    SELECT job_id, 4 * n, 4 * n + 3, 4, redo, state, 0, 0, 0, 0, 0 FROM chunk, generate_series(10, 500) n
"""


@pytest.fixture
def busy(ledger: Database) -> Database:
    """A ledger with many jobs and leases. PostgreSQL counted its rows before there were leases; SQLite never does."""
    for _ in range(NUM_JOBS):
        job_with(ledger, 40)
    if not ledger.is_sqlite:
        with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(COPY_CHUNKS))
            connection.execute(text("VACUUM ANALYZE"))
    assert all(claim(ledger) for _ in range(NUM_LEASES))
    return ledger


def claim_query(ledger: Database) -> str:
    dialect = sqlite.dialect() if ledger.is_sqlite else postgresql.dialect()
    return str(jobs_in_order(ANNA).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_reads_each_lease_once_for_a_claim_however_many_jobs_there_are(busy: Database):
    with busy.read() as session:
        ((found,),) = session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {claim_query(busy)}")).all()
    scans = [node for node in nodes(found[0]["Plan"]) if node.get("Index Name") == "ix_chunk_leased"]
    assert scans, "it looks for leases elsewhere than in their own index"
    looked_at = [(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans]
    assert sum(looked_at) <= NUM_LEASES


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_counts_leases_along_their_own_index_and_not_along_all_chunks(busy: Database):
    with busy.read() as session:
        steps = [row.detail for row in session.execute(text(f"EXPLAIN QUERY PLAN {claim_query(busy)}"))]
    scans = [step for step in steps if step.startswith("SCAN chunk")]
    assert scans == ["SCAN chunk USING INDEX ix_chunk_leased"]
