"""(h) Labelyard with a real Redis, a real PostgreSQL and one Celery worker; the servers are those of the tests."""

import sys
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from benchmarks import labelyard
from benchmarks.measurement import Measurement, print_measurements
from benchmarks.processes import fresh_servers, running_worker
from db.database import Database
from db.tables import WorkerTable

MAX_START_S = 120.0
POLL_INTERVAL_S = 0.1


def measure(folder: Path) -> Measurement:
    """Label a folder in a new database."""
    with fresh_servers() as (env, url):
        started_at_s = time.monotonic()
        with running_worker([*labelyard.PROGRAM, "worker", "--preload", labelyard.MODEL], env):
            _wait_until_loaded(url)
            worker_start_s = time.monotonic() - started_at_s
            options = ("--model", labelyard.MODEL)
            measured = labelyard.label(folder, env=env, database_url=url, options=options)
    return replace(measured, startup_s=measured.startup_s + worker_start_s, wall_s=measured.wall_s + worker_start_s)


def _wait_until_loaded(database_url: str) -> None:
    database = Database(database_url)
    give_up_at_s = time.monotonic() + MAX_START_S
    try:
        while time.monotonic() < give_up_at_s:
            with database.read() as session:
                if any(labelyard.MODEL in loads for loads in session.scalars(select(WorkerTable.backbone_loads))):
                    return
            time.sleep(POLL_INTERVAL_S)
    finally:
        database.close()
    raise RuntimeError(f"The worker did not load {labelyard.MODEL} within {MAX_START_S:.0f} s.")


if __name__ == "__main__":
    print_measurements({"servers": measure(Path(sys.argv[1]))})
