"""Labelyard as its users run it: the program in a process of its own, and what its ledger says about the time.

The steady rate of a job is taken from its chunks: from the moment when the first of them was finished to the moment
when the last was, and over the images of all but that first one. What came before is start-up: the interpreter,
planning, the worker's process, loading the network, the first chunk. It holds however many chunks a worker has in hand
at once, and errs by what was decoded ahead when the first was finished: a fraction of one chunk in sixteen or more.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks import places
from benchmarks.measurement import Measurement
from core.types import ChunkState
from db.database import Database
from db.tables import ChunkTable

MODEL = "mobilenet-0.75"
PROGRAM = [sys.executable, "-m", "orchestrator.cli"]
# So that the images before the clock starts, and the unevenness at its end, are few.
MIN_CHUNKS, MAX_CHUNK_SIZE = 16, 64


def run(*arguments: str | Path, env: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Run a command with --json and read its answer.

    Raises:
        RuntimeError: it failed.
    """
    command = [*PROGRAM, *map(str, arguments), "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def upgrade(env: Mapping[str, str]) -> None:
    """Make the tables of a new ledger."""
    subprocess.run([*PROGRAM, "db", "upgrade"], env=env, check=True, capture_output=True)  # noqa: S603 - our own


def label(folder: Path, *, env: Mapping[str, str], database_url: str, options: tuple[str, ...] = ()) -> Measurement:
    """Label a folder and read from the ledger how long that took.

    Raises:
        RuntimeError: not every image got a label.
    """
    num_images = sum(1 for _ in folder.iterdir())
    chunk_size = max(1, min(MAX_CHUNK_SIZE, num_images // MIN_CHUNKS))
    started_at_s = time.time()
    summary = run("label", folder, "--chunk-size", str(chunk_size), *options, env=env)
    wall_s = time.time() - started_at_s
    if summary["num_predictions"] != num_images:
        raise RuntimeError(f"{summary['num_predictions']} of {num_images} images have a label.")
    return steady(finished_chunks(database_url, summary["job_id"]), started_at_s=started_at_s, wall_s=wall_s)


def steady(chunks: list[tuple[float, int]], *, started_at_s: float, wall_s: float) -> Measurement:
    """Make a measurement of when each chunk was finished and how many images it had, in any order."""
    (first_at_s, _), *others = sorted(chunks)
    seconds = others[-1][0] - first_at_s
    return Measurement(sum(number for _, number in others), seconds, first_at_s - started_at_s, wall_s)


@contextmanager
def fresh_home() -> Iterator[dict[str, str]]:
    """An environment with a new state folder, in which networks are converted already and nothing else is known."""
    with tempfile.TemporaryDirectory(prefix="labelyard-bench-") as folder:
        home = Path(folder) / "home"
        shutil.copytree(places.WARM_HOME, home, ignore=shutil.ignore_patterns("labelyard.db*"))
        yield os.environ | {"LABELYARD_HOME": str(home)}


def sqlite_url(env: Mapping[str, str]) -> str:
    """The embedded ledger of an environment."""
    return f"sqlite:///{Path(env['LABELYARD_HOME']).resolve() / 'labelyard.db'}"


def finished_chunks(database_url: str, job_id: int) -> list[tuple[float, int]]:
    """When each chunk was finished and how many images it had."""
    database = Database(database_url)
    query = select(ChunkTable.finished_at, ChunkTable.num_images).where(
        ChunkTable.job_id == job_id, ChunkTable.state == ChunkState.DONE
    )
    try:
        with database.read() as session:
            return [(float(at_s), number) for at_s, number in session.execute(query) if at_s is not None]
    finally:
        database.close()
