"""Keeping embedded worker processes alive, and taking back what a dead one held.

The supervisor sees a child's end at once, so its chunk is handed out again without waiting for the lease to run out.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import structlog

from core.errors import DatabaseAwayError, SetupError
from core.exits import ExitCode
from core.queues import Queue
from core.settings import Settings
from db import workers as worker_store
from db.database import Database
from db.ledger import sweeping
from workers.naming import default_worker_id
from workers.sweeper import LeaseSweep, tell_nobody

if TYPE_CHECKING:
    from workers.metrics.page import MetricsPage  # the library comes with it

logger = structlog.get_logger(__name__)

# So many children that end in a row before they claim anything: something is wrong with the set-up.
MAX_IDLE_DEATHS = 5
# So many that end in a row and none finishes a chunk: it is not the images. Finding the one image of 100,000 that kills
# its workers takes 2 deaths of the whole chunk, 17 of ever smaller halves, and 3 of the image alone.
MAX_BUSY_DEATHS = 25
# How long a child may take to end by itself before it is killed. It has nothing to tidy.
STOP_TIMEOUT_S = 5.0


@dataclass
class _Child:
    worker_id: str
    process: subprocess.Popen[bytes]
    num_finished: int = 0  # chunks that were done when it last ended
    num_idle_deaths: int = 0  # in a row
    num_busy_deaths: int = 0  # in a row, without a finished chunk between them


class LocalWorkers:
    """Embedded worker processes under supervision; a context manager that ends them.

    Args:
        settings: how many, and where the ledger is (children read the same environment).
        database: the ledger.
        only_job: the job that they work for; None for any.
        queues: which work they take.
        page: where their figures are shown; None: nobody counts.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        only_job: int | None = None,
        queues: Sequence[Queue] = tuple(Queue),
        page: "MetricsPage | None" = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._only_job = only_job
        self._queues = queues
        self._children: list[_Child] = []
        self._environment = {} if page is None else dict(page.environment)
        on_sweep = tell_nobody if page is None else page.swept
        self._sweep = LeaseSweep(database, lease_s=settings.lease_s, on_sweep=on_sweep)
        self._swept_at_s = 0.0

    def __enter__(self) -> Self:
        """Start the children."""
        prefix = default_worker_id()
        for number in range(self._settings.workers):
            worker_id = f"{prefix}/{number}"
            self._children.append(_Child(worker_id, self._spawn(worker_id)))
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
            SetupError: the children cannot start, or the database was upgraded while they ran.
        """
        for child in self._children:
            if child.process.poll() is not None:
                self._replace(child)
        if time.monotonic() - self._swept_at_s >= self._settings.sweep_interval_s:
            self._swept_at_s = time.monotonic()
            try:
                self._sweep.once([child.worker_id for child in self._children])
            except DatabaseAwayError as error:
                logger.warning("sweep_failed", problem=str(error))

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
        try:
            with self._database.write() as session:
                for child in self._children:
                    worker_store.stop(session, child.worker_id)
        except DatabaseAwayError as error:
            # The leases run out.
            logger.warning("chunks_not_given_back", problem=str(error))
        self._children.clear()

    def _replace(self, child: _Child) -> None:
        returncode = child.process.returncode
        message = child.process.stdout.read().decode(errors="replace").strip() if child.process.stdout else ""
        _close_pipes(child.process)
        if returncode == ExitCode.SETUP:
            raise SetupError(message or "A worker process could not start.")
        logger.warning("worker_died", worker_id=child.worker_id, returncode=returncode)
        self._count_death(child)
        if child.num_idle_deaths >= MAX_IDLE_DEATHS or child.num_busy_deaths >= MAX_BUSY_DEATHS:
            raise SetupError(
                f"Worker processes end again and again without finishing anything (exit status {returncode}): "
                f"{message or 'they said nothing'}. `labelyard doctor` looks closer."
            )
        child.process = self._spawn(child.worker_id)

    def _count_death(self, child: _Child) -> None:
        """Take back what it held, and remember whether its kind gets anywhere."""
        report, num_finished = self._database.transact(
            lambda session: (
                sweeping.worker_died(session, child.worker_id),
                worker_store.num_finished_chunks(session, child.worker_id),
            )
        )
        held_a_chunk = bool(report.num_requeued + report.num_bisected + report.num_given_up)
        got_anywhere = num_finished > child.num_finished or report.num_given_up > 0
        child.num_finished = num_finished
        child.num_idle_deaths = 0 if held_a_chunk or got_anywhere else child.num_idle_deaths + 1
        child.num_busy_deaths = 0 if got_anywhere else child.num_busy_deaths + held_a_chunk

    def _spawn(self, worker_id: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "workers.local", "--worker-id", worker_id, "--queues", *self._queues]
        if self._only_job is not None:
            command += ["--only-job", str(self._only_job)]
        # A session of its own keeps the terminal's Ctrl-C away. Its standard input ends when this process does; its
        # standard output carries one message, if it cannot start.
        return subprocess.Popen(  # noqa: S603 - our own module
            command,
            env=os.environ | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
