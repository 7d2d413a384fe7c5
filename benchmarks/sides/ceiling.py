"""Labelyard alone: references planned, handed out, booked and finished by a worker that neither reads nor computes.

The orchestrator is the program, `labelyard label MANIFEST --no-wait`, beside a worker that waits for it: planning and
working go on at the same time, as they do in life. What its process had of memory at most is what the operating system
says when it has ended (`benchmarks.peak`).
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from benchmarks import labelyard, peak
from benchmarks.datasets import MANIFESTS
from benchmarks.measurement import Measurement, print_measurements
from benchmarks.processes import fresh_servers, running_worker
from db.database import Database
from db.ledger.progress import progress
from db.tables import WorkerTable

CHUNK_SIZE = 256  # what `labelyard label` takes by itself
MAX_WAIT_S = 1200.0
POLL_INTERVAL_S = 0.25

# A new ledger each time: the environment, and the ledger's URL.
Ledger = Callable[[], AbstractContextManager[tuple[dict[str, str], str]]]


@contextmanager
def fresh_sqlite() -> Iterator[tuple[dict[str, str], str]]:
    """A new state folder, with SQLite in it."""
    with labelyard.fresh_home() as env:
        labelyard.upgrade(env)
        yield env, labelyard.sqlite_url(env)


LEDGERS: dict[str, Ledger] = {"sqlite": fresh_sqlite, "servers": fresh_servers}


def main(folder: Path, ledger: str) -> None:
    """Measure each list of references in a ledger of its own."""
    print_measurements({f"{ledger}_{name}": measure(folder / f"{name}.txt", LEDGERS[ledger]) for name in MANIFESTS})


def measure(manifest: Path, ledger: Ledger) -> Measurement:
    """Plan a list of references and wait until a worker is through with it."""
    with manifest.open() as file:
        num_images = sum(1 for _ in file)
    with ledger() as (env, url), running_worker([sys.executable, "-m", "benchmarks.noop"], env) as worker:
        database = Database(url)
        try:
            wait_for(lambda: _is_ready(database), worker)
            started_at_s = time.time()
            job_id, peak_mb = _plan(manifest, num_images, env)
            wait_for(lambda: _num_labelled(database, job_id) == num_images, worker)
            wall_s = time.time() - started_at_s
        finally:
            database.close()
        measured = labelyard.steady(labelyard.finished_chunks(url, job_id), started_at_s=started_at_s, wall_s=wall_s)
    return replace(measured, peak_mb=peak_mb)


def _plan(manifest: Path, num_images: int, env: Mapping[str, str]) -> tuple[int, float]:
    """Accept and plan a job as users do: its id, and the most memory that this took, in MB."""
    chunk_size = max(1, min(CHUNK_SIZE, num_images // labelyard.MIN_CHUNKS))
    options = ["--model", labelyard.MODEL, "--chunk-size", str(chunk_size), "--no-features", "--no-wait", "--json"]
    command = [*labelyard.PROGRAM, "label", str(manifest), *options]
    command = [sys.executable, peak.__file__, *command]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own
    summary, peak_bytes = done.stdout.rstrip().rsplit("\n", 1)
    return json.loads(summary)["job_id"], int(peak_bytes) / 1e6


def wait_for(is_over: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    """Wait until something holds.

    Raises:
        RuntimeError: the worker has ended, or it takes too long.
    """
    give_up_at_s = time.monotonic() + MAX_WAIT_S
    while not is_over():
        if worker.poll() is not None:
            raise RuntimeError(f"The worker ended with {worker.returncode}.")
        if time.monotonic() > give_up_at_s:
            raise RuntimeError(f"The worker was not through within {MAX_WAIT_S:.0f} s.")
        time.sleep(POLL_INTERVAL_S)


def _is_ready(database: Database) -> bool:
    with database.read() as session:
        return session.scalars(select(WorkerTable.id)).first() is not None


def _num_labelled(database: Database, job_id: int) -> int:
    with database.read() as session:
        return progress(session, job_id).num_predictions


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
