"""A full disk below an SQLite file: a file system of a few megabytes that only the scenario's processes see."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from e2e.faults.conclusion import patiently
from e2e.faults.deaths import CHUNK_SIZE
from e2e.faults.scenario import Outcome, Scenario
from e2e.faults.stage import Stage
from e2e.faults.worker import slowed
from program import MODEL, PROGRAM, Cli, read_csv

SIZE_MIB = 64
MIB = 1024**2
# Work waits when so much is left, and, in turns, when nothing is.
MIN_FREE_MIB = (8, 0)
NUM_CHUNKS = 8
CHECK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system in a mount namespace of its own."""

    path: Path  # in there
    holder_pid: int  # a process that lives in there

    @property
    def from_outside(self) -> Path:
        """The same, for those who do not live in there."""
        return Path(f"/proc/{self.holder_pid}/root{self.path}")

    def inside(self, *command: str) -> list[str]:
        """A command that runs in there."""
        return ["nsenter", "--target", str(self.holder_pid), "--mount", *command]

    def fill(self) -> None:
        """Leave no room."""
        with (self.from_outside / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(MIB))
            except OSError:
                return

    def make_space(self) -> None:
        """Take the filling away."""
        (self.from_outside / "filler").unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """A disk that goes with the last process that uses it."""
    script = f'mount -t tmpfs -o size={SIZE_MIB}m tmpfs "$0" && echo mounted && exec sleep infinity'
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", script, str(path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"mounted\n", "The disk could not be mounted."
            yield SmallDisk(path, holder.pid)
        finally:
            holder.kill()


def why_not() -> str | None:
    """Why this machine has no small disks."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
            mounted = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            return "no `unshare` on this machine, so no small disk to fill"
    return None if mounted.returncode == 0 else "this user may not mount a small disk to fill"


def fill_disks(stage: Stage, random: Random, count: int) -> Outcome:
    """Fill the disk in mid-job, hear why the job stands still, make space, see it end."""
    outcome = Outcome(count=count)
    for number in range(count):
        folder = stage.new_folder("disk")
        path = folder / "state"
        path.mkdir()
        with small_disk(path) as disk:
            (disk.from_outside / "engines").symlink_to(stage.engines)
            min_free_bytes = MIN_FREE_MIB[number % len(MIN_FREE_MIB)] * MIB
            env = slowed(stage.env(folder)) | {"LABELYARD_MIN_FREE_BYTES": str(min_free_bytes)}
            _fill_once(stage, random, Cli(env, folder), disk, outcome)
    return outcome


def _fill_once(stage: Stage, random: Random, cli: Cli, disk: SmallDisk, outcome: Outcome) -> None:
    log, out = cli.cwd / "log", cli.cwd / "o.csv"
    images = stage.images(NUM_CHUNKS * CHUNK_SIZE)
    options = ("--model", MODEL, "--chunk-size", str(CHUNK_SIZE), "--no-features", "--out", str(out))
    command = disk.inside(*PROGRAM, "label", str(images), *options)
    with log.open("wb") as output, subprocess.Popen(command, env=cli.env, stdout=output, stderr=output) as running:
        patiently(lambda: _num_done(cli, disk) > 0)
        time.sleep(random.uniform(0, 1))
        disk.fill()
        assert patiently(lambda: "make space" in log.read_text()), log.read_text()
        num_done = _num_done(cli, disk)
        disk.make_space()
        space_at_s = time.monotonic()
        went_on = patiently(lambda: _num_done(cli, disk) > num_done)
        recovery_s = time.monotonic() - space_at_s
        patiently(lambda: running.poll() is not None)
        running.kill()
    checked = subprocess.run(
        disk.inside(sys.executable, "-c", CHECK, str(disk.path / "labelyard.db")),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = read_csv(out) if out.exists() else []
    labelled = {row["image"] for row in rows if row["label"] and not row["error"]}
    outcome.lost += NUM_CHUNKS * CHUNK_SIZE - len(labelled)
    outcome.duplicated += len(rows) - len({row["image"] for row in rows})
    if went_on and running.returncode == 0 and checked.stdout == "ok\n":
        outcome.recovered += 1
        outcome.slowest_recovery_s = max(recovery_s, outcome.slowest_recovery_s or 0.0)


def _num_done(cli: Cli, disk: SmallDisk) -> int:
    done = subprocess.run(
        disk.inside(*PROGRAM, "jobs", "show", "1", "--json"), env=cli.env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return 0
    job: dict[str, Any] = json.loads(done.stdout)
    return int(job["num_chunks"].get("done", 0))


FULL = Scenario(
    name="disk-full-sqlite",
    fault="the disk below the SQLite file is full",
    expected="the job waits and says why, goes on after space is made; `PRAGMA integrity_check` ok",
    run=fill_disks,
    count=2,
    num_in_tests=1,
    missing=why_not,
)
