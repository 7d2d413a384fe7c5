"""Waking workers, as those see it who do not care how it is done. `broker` does it through Redis."""

from typing import Protocol

import structlog

from core.errors import BrokerError, DatabaseAwayError

logger = structlog.get_logger(__name__)


class Waker(Protocol):
    """Something that makes workers look into the ledger."""

    def top_up(self) -> int:
        """Make sure that there are enough wake-ups for the queued chunks; returns how many were added."""
        ...


class NullWaker:
    """For embedded mode: local workers look into the ledger by themselves."""

    def top_up(self) -> int:
        """Do nothing."""
        return 0


def wake(waker: Waker) -> None:
    """Top up after a commit. A broker or database that is away is no reason to stop: the sweepers wake instead."""
    try:
        waker.top_up()
    except (BrokerError, DatabaseAwayError) as error:
        logger.warning("wake_up_failed", problem=str(error))
