"""Waking workers, as those see it who do not care how it is done. `broker` does it through Redis."""

from typing import Protocol


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
