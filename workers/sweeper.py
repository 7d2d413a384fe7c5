"""The sweeper: every few seconds, expire leases, end finished jobs, top up wake-ups.

One runs in the orchestrator and one in every worker's parent process; they do not need to know of each other.
"""

import threading

import structlog

from core.errors import SetupError
from core.jobs import SweepReport
from db import workers as worker_store
from db.database import Database
from db.ledger.sweeping import sweep
from workers.waking import Waker

logger = structlog.get_logger(__name__)


class Sweeper:
    """A thread that sweeps until it is stopped.

    Args:
        database: the ledger.
        waker: who wakes workers for what was taken back.
        interval_s: seconds between two sweeps.
        worker_id: the worker that this process supervises, if it does; each sweep says that it is still there.
    """

    def __init__(self, database: Database, waker: Waker, *, interval_s: float, worker_id: str | None = None) -> None:
        self._database = database
        self._waker = waker
        self._interval_s = interval_s
        self._worker_ids = [] if worker_id is None else [worker_id]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the present sweep."""
        self._stopped.set()
        self._thread.join()

    def sweep_once(self) -> SweepReport:
        """Expire, close, wake."""
        with self._database.write() as session:
            report = sweep(session)
            worker_store.touch(session, self._worker_ids)
        self._waker.top_up()
        if report.num_requeued or report.num_bisected or report.num_given_up:
            logger.warning(
                "leases_expired",
                num_requeued=report.num_requeued,
                num_bisected=report.num_bisected,
                num_given_up=report.num_given_up,
            )
        return report

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.sweep_once()
            except SetupError as error:
                # A database or broker that is away comes back; the next sweep finds out.
                logger.warning("sweep_failed", problem=str(error))
            self._stopped.wait(self._interval_s)
