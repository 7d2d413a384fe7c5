"""How long transactions took their client, and how much of a core the server spent on them."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import text

from core.jobs import DEFAULT_CHUNK_SIZE
from db.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Load:
    """What a ledger had to carry while it was measured."""

    clients: int = 1  # processes that ask at the same time
    rows: int = 0  # image and result rows, each
    chunks: int = 0
    leases: int = 0  # chunks that others hold
    jobs: int = 1  # running ones
    images: int = DEFAULT_CHUNK_SIZE  # in a chunk


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of transaction costs under a load."""

    operation: str
    load: Load
    number: int  # of transactions
    median_ms: float  # as the client sees it
    p95_ms: float
    server_ms: float  # of a core, by the server's process; the mean

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing; microseconds are enough."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**values | {"load": Load(**values["load"])})


@dataclass(slots=True)
class Laps:
    """Transactions of one kind."""

    seconds: list[float] = field(default_factory=list)
    server_s: float = 0.0

    def add(self, others: "Laps") -> None:
        """Take those of another client in."""
        self.seconds += others.seconds
        self.server_s += others.server_s

    def cost(self, operation: str, load: Load) -> Cost:
        """What they come to."""
        number = len(self.seconds)
        p95_s = statistics.quantiles(self.seconds, n=20)[-1] if number > 1 else self.seconds[0]
        median_s = statistics.median(self.seconds)
        return Cost(operation, load, number, 1e3 * median_s, 1e3 * p95_s, 1e3 * self.server_s / number)


class Stopwatch:
    """Times transactions of one client on its one connection.

    Args:
        database: the client's own; its pool must not have been used by others.
    """

    def __init__(self, database: Database) -> None:
        self.laps: dict[str, Laps] = {}
        with database.read() as session:
            self._backend = int(session.scalars(text("SELECT pg_backend_pid()")).one())

    def time(self, operation: str, works: list[Callable[[], Result]]) -> list[Result]:
        """Do each of these and count it; together, because processors' time is told in hundredths of a second."""
        laps = self.laps.setdefault(operation, Laps())
        before_s = cpu_s(self._backend)
        results = []
        for work in works:
            started_at_s = time.perf_counter()
            results.append(work())
            laps.seconds.append(time.perf_counter() - started_at_s)
        laps.server_s += cpu_s(self._backend) - before_s
        return results


def cpu_s(pid: int) -> float:
    """What a process has had of all cores so far; Linux alone tells it this way."""
    # Behind the command's name, which may hold blanks: fields 14 and 15 of proc(5), utime and stime.
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
