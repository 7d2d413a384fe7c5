"""The sweeper: every few seconds, expire leases, end finished jobs, top up wake-ups.

One runs in the orchestrator and one in every worker's parent process; they do not need to know of each other.
"""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from core.errors import DatabaseAwayError, SetupError
from core.jobs import SweepReport
from db import workers as worker_store
from db.database import Database
from db.ledger import sweeping
from db.schema import require_revision
from workers.waking import Waker

logger = structlog.get_logger(__name__)

# Told what a sweep mended.
OnSweep = Callable[[SweepReport], object]


def tell_nobody(report: SweepReport) -> None:
    """For those whom nobody asks what their sweeps mended."""
    del report


class LeaseSweep:
    """One sweep of the ledger after the other.

    While a database is away nobody can renew a lease. So after that leases are left alone for as long as one lasts, and
    those who wait with their work have the time to say so; else an outage would count as the death of every worker.

    Args:
        database: the ledger.
        lease_s: how long a lease lasts.
        on_sweep: told what each sweep mended.
    """

    def __init__(self, database: Database, *, lease_s: float, on_sweep: OnSweep = tell_nobody) -> None:
        self._database = database
        self._on_sweep = on_sweep
        self._lease_s = lease_s
        self._was_away = False
        self._expires_again_at_s = 0.0

    def once(self, worker_ids: Sequence[str]) -> SweepReport:
        """Expire, close, and say that workers are still there.

        Args:
            worker_ids: those that this process supervises.

        Raises:
            DatabaseAwayError: the database does not answer.
            SchemaError: it was upgraded while this process ran.
        """
        try:
            with self._database.write() as session:
                require_revision(session)
                report = sweeping.sweep(session) if self._may_expire() else sweeping.close_only(session)
                worker_store.touch(session, worker_ids)
        except DatabaseAwayError:
            self._was_away = True
            raise
        self._on_sweep(report)
        if report.num_requeued or report.num_bisected or report.num_given_up:
            logger.warning(
                "leases_expired",
                num_requeued=report.num_requeued,
                num_bisected=report.num_bisected,
                num_given_up=report.num_given_up,
            )
        return report

    def _may_expire(self) -> bool:
        # Asked within the transaction, so that the database is known to be back.
        if self._was_away:
            self._was_away = False
            self._expires_again_at_s = time.monotonic() + self._lease_s
        return time.monotonic() >= self._expires_again_at_s


class Sweeper:
    """A thread that sweeps until it is stopped.

    Args:
        database: the ledger.
        waker: who wakes workers for what was taken back.
        interval_s: seconds between two sweeps.
        lease_s: how long a lease lasts.
        worker_id: the worker that this process supervises, if it does; each sweep says that it is still there.
        on_sweep: told what each sweep mended.
    """

    def __init__(
        self,
        database: Database,
        waker: Waker,
        *,
        interval_s: float,
        lease_s: float,
        worker_id: str | None = None,
        on_sweep: OnSweep = tell_nobody,
    ) -> None:
        self._sweep = LeaseSweep(database, lease_s=lease_s, on_sweep=on_sweep)
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
        report = self._sweep.once(self._worker_ids)
        self._waker.top_up()
        return report

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.sweep_once()
            except SetupError as error:
                # A database or broker that is away comes back; the next sweep finds out.
                logger.warning("sweep_failed", problem=str(error))
            except Exception:  # the contract rests on this thread, and nobody would notice its end
                logger.exception("sweep_failed")
            self._stopped.wait(self._interval_s)
