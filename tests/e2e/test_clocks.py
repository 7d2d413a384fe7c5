"""Leases are the database's: a worker whose clock is an hour off keeps its chunks and takes nobody's. ADR 0003."""

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.faults.worker import SHIMS
from program import MODEL, Cli, read_csv, wait_for
from sqlalchemy import text

from db.database import Database


@pytest.mark.parametrize("off_by_s", [-3600, 3600])
def test_every_chunk_ends_at_its_first_attempt_beside_a_worker_whose_clock_is_an_hour_off(
    cluster: Cli, photographs: Callable[..., Path], off_by_s: int
):
    photographs(120)
    wrong = {"PYTHONPATH": str(SHIMS), "FAULTS_CLOCK_S": str(off_by_s)}
    quick = {"LABELYARD_SWEEP_INTERVAL_S": "1"}
    cluster.start("worker", "--preload", MODEL, **quick, **wrong)
    cluster.start("worker", "--preload", MODEL, **quick)
    ledger = Database(cluster.env["LABELYARD_DATABASE_URL"])

    def seen_by_the_databases_clock() -> bool:
        with ledger.read() as session:
            lateness = "abs(extract(epoch FROM clock_timestamp()) - seen_at) < 60"
            return session.scalars(text("SELECT count(*) FROM worker WHERE " + lateness)).one() == 2

    wait_for(seen_by_the_databases_clock, "two workers")
    done = cluster("label", "photographs", "--model", MODEL, "--chunk-size", "5", "--out", "labels.csv")
    assert done.returncode == 0, done.stderr
    with ledger.read() as session:
        chunks = session.execute(text("SELECT attempt, deaths, worker_id FROM chunk")).all()
    ledger.close()
    assert {(attempt, deaths) for attempt, deaths, _ in chunks} == {(1, 0)}
    assert len({worker for *_, worker in chunks}) == 2, "both took part"
    assert len({row["image"] for row in read_csv(cluster.cwd / "labels.csv") if row["label"]}) == 120
