"""(h) Labelyard with a real Redis, a real PostgreSQL and one Celery worker; the servers are those of the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from benchmarks import labelyard, places
from benchmarks.measurement import Measurement, print_measurements
from db.database import Database
from db.tables import WorkerTable

MAX_START_S = 120.0
POLL_INTERVAL_S = 0.1


def measure(folder: Path) -> Measurement:
    """Label a folder in a new database."""
    sys.path.insert(0, str(places.ROOT / "tests"))
    from servers import PostgresServer, RedisServer, database  # noqa: PLC0415 - only where they are needed

    with (
        labelyard.fresh_home() as home,
        RedisServer() as redis,
        PostgresServer() as postgres,
        database(postgres.url, "bench") as url,
    ):
        env = home | {"LABELYARD_BROKER_URL": redis.url, "LABELYARD_DATABASE_URL": url}
        subprocess.run([*labelyard.PROGRAM, "db", "upgrade"], env=env, check=True, capture_output=True)  # noqa: S603
        started_at_s = time.monotonic()
        with _worker(env):
            _wait_until_loaded(url)
            worker_start_s = time.monotonic() - started_at_s
            options = ("--model", labelyard.MODEL)
            measured = labelyard.label(folder, env=env, database_url=url, options=options)
    return replace(measured, startup_s=measured.startup_s + worker_start_s, wall_s=measured.wall_s + worker_start_s)


@contextmanager
def _worker(env: Mapping[str, str]) -> Iterator[None]:
    command = [*labelyard.PROGRAM, "worker", "--preload", labelyard.MODEL]
    with subprocess.Popen(  # noqa: S603 - our own
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(MAX_START_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


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
