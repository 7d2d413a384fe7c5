"""Keeping embedded worker processes alive, and taking back what a dead one held.

The supervisor sees a child's end at once, so its chunk is handed out again without waiting for the lease to run out.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Self

import structlog

from core.errors import SetupError
from core.exits import ExitCode
from core.settings import Settings
from db import workers as worker_store
from db.database import Database
from db.ledger import sweeping
from workers.naming import default_worker_id

logger = structlog.get_logger(__name__)

# A child that ends sooner than this did not get to work; after so many in a row something is wrong with the set-up.
SHORT_LIFE_S = 10.0
MAX_SHORT_LIVES = 5
# How long a child may take to end by itself before it is killed. It has nothing to tidy.
STOP_TIMEOUT_S = 5.0


@dataclass
class _Child:
    worker_id: str
    process: subprocess.Popen[bytes]
    started_at_s: float
    num_short_lives: int = 0


class LocalWorkers:
    """Embedded worker processes under supervision; a context manager that ends them.

    Args:
        settings: how many, and where the ledger is (children read the same environment).
        database: the ledger.
        only_job: the job that they work for; None for any.
    """

    def __init__(self, settings: Settings, database: Database, *, only_job: int | None = None) -> None:
        self._settings = settings
        self._database = database
        self._only_job = only_job
        self._children: list[_Child] = []
        self._swept_at_s = 0.0

    def __enter__(self) -> Self:
        """Start the children."""
        prefix = default_worker_id()
        for number in range(self._settings.workers):
            worker_id = f"{prefix}/{number}"
            self._children.append(_Child(worker_id, self._spawn(worker_id), time.monotonic()))
        return self

    def __exit__(self, *error: object) -> None:
        """End the children."""
        self.stop()

    @property
    def pids(self) -> list[int]:
        """The children's process ids."""
        return [child.process.pid for child in self._children]

    def supervise(self) -> None:
        """Replace children that ended, and sweep if it is time to. Call it often; it returns at once.

        Raises:
            SetupError: the children cannot start.
        """
        for child in self._children:
            if child.process.poll() is not None:
                self._replace(child)
        if time.monotonic() - self._swept_at_s >= self._settings.sweep_interval_s:
            self._swept_at_s = time.monotonic()
            with self._database.write() as session:
                sweeping.sweep(session)
                worker_store.touch(session, [child.worker_id for child in self._children])

    def stop(self) -> None:
        """End every child and give back what it held."""
        for child in self._children:
            child.process.terminate()
        for child in self._children:
            try:
                child.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            _close_pipes(child.process)
        if self._children:
            with self._database.write() as session:
                for child in self._children:
                    worker_store.stop(session, child.worker_id)
        self._children.clear()

    def _replace(self, child: _Child) -> None:
        returncode = child.process.returncode
        message = child.process.stdout.read().decode(errors="replace").strip() if child.process.stdout else ""
        _close_pipes(child.process)
        if returncode == ExitCode.SETUP:
            raise SetupError(message or "A worker process could not start.")
        is_short = time.monotonic() - child.started_at_s < SHORT_LIFE_S
        child.num_short_lives = child.num_short_lives + 1 if is_short else 0
        logger.warning("worker_died", worker_id=child.worker_id, returncode=returncode)
        with self._database.write() as session:
            report = sweeping.worker_died(session, child.worker_id)
        if child.num_short_lives >= MAX_SHORT_LIVES and report.num_requeued + report.num_bisected == 0:
            raise SetupError(
                f"Worker processes end {MAX_SHORT_LIVES} times in a row before they get to work "
                f"(exit status {returncode}): {message or 'they said nothing'}. `labelyard doctor` looks closer."
            )
        child.process = self._spawn(child.worker_id)
        child.started_at_s = time.monotonic()

    def _spawn(self, worker_id: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "workers.local", "--worker-id", worker_id]
        if self._only_job is not None:
            command += ["--only-job", str(self._only_job)]
        # A session of its own keeps the terminal's Ctrl-C away. Its standard input ends when this process does; its
        # standard output carries one message, if it cannot start.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603 - our own module


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
