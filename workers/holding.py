"""Holding a lease while its work is done.

A lease is renewed because images were processed, so a worker that hangs loses it. The one phase that processes no
images, loading a backbone, is held by a clock of its own with a bound.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from core.errors import DatabaseError, LeaseLostError
from core.jobs import Claim
from db.database import Database
from db.ledger import leasing

logger = structlog.get_logger(__name__)

# A renewal is one small write. Ten of them fit into a lease, so that one that fails is no harm.
RENEWALS_PER_LEASE = 10
# Renewals are also what progress bars are drawn from, so they come at least this often.
MAX_RENEWAL_INTERVAL_S = 2.0
# Loading a backbone that takes longer than this is taken for a hang.
LOADING_LIMIT_S = 300.0


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
        self._renewed_at_s = time.monotonic()

    def progressed(self, num_processed: int) -> None:
        """Say that images were processed; renews if it is time to.

        Raises:
            LeaseLostError: another worker has the chunk now.
        """
        if time.monotonic() - self._renewed_at_s >= self._interval_s:
            self._renew(num_processed)

    @contextmanager
    def while_loading(self) -> Iterator[None]:
        """Hold the lease while a backbone is loaded, for a bounded time."""
        loaded = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(loaded,), name="lease-keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            loaded.set()
            keeper.join()

    def _keep(self, loaded: threading.Event) -> None:
        give_up_at_s = time.monotonic() + LOADING_LIMIT_S
        while not loaded.wait(self._interval_s) and time.monotonic() < give_up_at_s:
            try:
                self._renew(0)
            except LeaseLostError:
                # The computing thread finds out by itself at its next renewal.
                return
            except DatabaseError as error:
                # There is time for several more tries before the lease runs out.
                logger.warning("renewal_failed", chunk_id=self.claim.chunk_id, problem=str(error))

    def _renew(self, num_processed: int) -> None:
        with self._database.write() as session:
            held = leasing.renew(session, self.claim, lease_s=self._lease_s, num_processed=num_processed)
        if not held:
            raise LeaseLostError(f"Chunk {self.claim.chunk_id} was leased to another worker in the meantime.")
        self._renewed_at_s = time.monotonic()
