"""Holding a lease while its work is done.

A lease is renewed because images were processed, so a worker that hangs loses it. Phases in which none is for a while
(a network is loaded, a heavy batch is trained) are held by a clock of their own, with a bound on the silence.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial

import structlog

from core.errors import DatabaseAwayError, LeaseLostError
from core.jobs import Claim
from db.database import Database
from db.ledger import leasing

logger = structlog.get_logger(__name__)

# A renewal is one small write. Ten of them fit into a lease, so that one that fails is no harm.
RENEWALS_PER_LEASE = 10
# Renewals are also what progress bars are drawn from, so they come at least this often.
MAX_RENEWAL_INTERVAL_S = 2.0
# Between renewals the lease is looked at, so that a job that was cancelled ends within a batch. Looking takes
# 0.5 ms; small batches, of which there are a hundred a second, share a look.
LOOK_INTERVAL_S = 0.25
# A network that takes longer to load, or a batch to compute, is taken for a hang.
MAX_SILENCE_S = 300.0


class HeldLease:
    """A claim that is being worked on.

    Args:
        database: where the lease is.
        claim: what was leased.
        lease_s: how long each renewal lasts.
    """

    def __init__(self, database: Database, claim: Claim, *, lease_s: float) -> None:
        self.claim = claim
        self._database = database
        self._lease_s = lease_s
        self._interval_s = min(lease_s / RENEWALS_PER_LEASE, MAX_RENEWAL_INTERVAL_S)
        self._renewed_at_s = self._looked_at_s = self._progressed_at_s = time.monotonic()
        self._num_processed = 0
        self._is_lost = False
        self._is_out_of_touch = False

    def progressed(self, num_processed: int | None = None) -> None:
        """Say that something was done; renews if it is time to.

        Args:
            num_processed: how many images have been processed by now, if that has changed.

        Raises:
            LeaseLostError: another worker has the chunk now, or the job was taken away.
        """
        self._progressed_at_s = time.monotonic()
        if num_processed is not None:
            self._num_processed = num_processed
        if self._is_lost or self._progressed_at_s - self._renewed_at_s >= self._interval_s:
            self._try_to_renew()
        elif self._progressed_at_s - max(self._renewed_at_s, self._looked_at_s) >= LOOK_INTERVAL_S:
            self._look()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Hold the lease also between two calls of `progressed`, if they are not too far apart."""
        self._progressed_at_s = time.monotonic()
        ended = threading.Event()
        # In the context of this thread: its log lines name the chunk.
        work = partial(copy_context().run, self._keep, ended)
        keeper = threading.Thread(target=work, name="lease-keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _keep(self, ended: threading.Event) -> None:
        while not ended.wait(self._interval_s) and time.monotonic() - self._progressed_at_s < MAX_SILENCE_S:
            try:
                self._try_to_renew()
            except LeaseLostError:
                # The computing thread finds out when it next says that it got on.
                self._is_lost = True
                return

    def _try_to_renew(self) -> None:
        try:
            self._renew()
        except DatabaseAwayError as error:
            # There is time for several more tries before the lease runs out; and where the database is away for longer,
            # nobody else can take it either.
            if not self._is_out_of_touch:
                logger.warning("renewal_failed", problem=str(error))
            self._is_out_of_touch = True
            self._renewed_at_s = time.monotonic()
        else:
            self._is_out_of_touch = False

    def _renew(self) -> None:
        with self._database.write() as session:
            held = leasing.renew(session, self.claim, lease_s=self._lease_s, num_processed=self._num_processed)
        self._require(held)
        self._renewed_at_s = time.monotonic()

    def _look(self) -> None:
        self._looked_at_s = time.monotonic()
        try:
            with self._database.read() as session:
                held = leasing.holds(session, self.claim)
        except DatabaseAwayError:
            # The next renewal says so.
            return
        self._require(held)

    def _require(self, held: bool) -> None:
        if not held:
            raise LeaseLostError(f"Chunk {self.claim.chunk_id} is not this worker's any more.")
