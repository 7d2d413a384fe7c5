"""The real program in real processes, for end-to-end tests. Knows nothing of pytest."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from db.database import Database

PROGRAM = [sys.executable, "-m", "orchestrator.cli"]
RUN_TIMEOUT_S = 240
WAIT_TIMEOUT_S = 120
# The smallest backbone there is; the tests here are about everything but its answers.
MODEL = "mobilenet-0.25"


Value = TypeVar("Value")


@dataclass
class Cli:
    """The program with its environment."""

    env: dict[str, str]
    cwd: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            env=self.env | env,
            cwd=self.cwd,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=RUN_TIMEOUT_S,
            check=False,
        )

    def json(self, *arguments: str | Path) -> Any:
        """Run a command with --json and read its answer."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start a command, in a process group of its own so that it can be killed with its children."""
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.env | env,
            cwd=self.cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the embedded program's ledger; nothing where its tables are not there yet."""
        path = Path(self.env["LABELYARD_HOME"]) / "labelyard.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            try:
                return connection.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []

    def num_done_chunks(self) -> int:
        """How many chunks are done in it."""
        return int((self.query("SELECT count(*) FROM chunk WHERE state = 'done'") or [(0,)])[0][0])

    def close(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def wait_for(condition: Callable[[], Value], what: str, *, timeout_s: float = WAIT_TIMEOUT_S) -> Value:
    """Ask until there is an answer."""
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"Waited {timeout_s} s for {what}.")


def wait_for_workers(cli: Cli, number: int = 1) -> None:
    """Wait until so many workers have described themselves in the program's ledger."""
    ledger = Database(cli.env["LABELYARD_DATABASE_URL"])

    def are_there() -> bool:
        with ledger.read() as session:
            return session.scalars(text("SELECT count(*) FROM worker")).one() >= number

    wait_for(are_there, f"{number} workers")
    ledger.close()


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read what the program wrote; names that are not UTF-8 come out as Python shows them."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def kill_with_children(process: subprocess.Popen[str]) -> None:
    """SIGKILL a process and all of its group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
