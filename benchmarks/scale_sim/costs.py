"""What a transaction takes, drawn from what was measured on a real PostgreSQL."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

import numpy as np

from benchmarks.ledger_costs.stopwatch import Cost

MEASURED = Path(__file__).parents[1] / "ledger_costs" / "measured.json"
# The 95th percentile of a normal distribution, in standard deviations.
NORMAL_P95 = 1.645
# With so many running jobs a claim is another matter; it is measured, but nothing is drawn from it.
MANY_JOBS = 50
# A server's share of less than this is what its clock, which ticks in hundredths of a second, cannot tell from nothing.
MIN_SERVER_MS = 0.05
# Which property of its load an operation grows with.
GROWS_WITH = {
    "claim": "leases",
    "sweep": "leases",
    "read": "images",
    "finish": "images",
    "find features": "images",
    "save features": "images",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A value that grows evenly."""

    at_zero: float
    slope: float

    @classmethod
    def through(cls, points: list[tuple[float, float]]) -> Self:
        """The line nearest to these points, which never falls: more work does not take less."""
        xs, ys = zip(*points, strict=True)
        if len(set(xs)) == 1:
            return cls(sum(ys) / len(ys), 0.0)
        slope, at_zero = np.polyfit(xs, ys, 1)
        return cls(float(at_zero), float(slope)) if slope > 0 else cls(sum(ys) / len(ys), 0.0)

    def at(self, x: float) -> float:
        """The value there."""
        return self.at_zero + self.slope * x


@dataclass(frozen=True, slots=True)
class Service:
    """What one kind of transaction takes."""

    server_ms: Line  # of a core of the database
    client_ms: Line  # of its connection besides: the driver, SQLAlchemy, the way there and back
    spread: float  # standard deviation of the logarithm

    def server_s(self, x: float) -> float:
        """Seconds of a core, the mean."""
        return max(self.server_ms.at(x), MIN_SERVER_MS) / 1e3

    def draw(self, rng: Random, x: float) -> tuple[float, float]:
        """Seconds of a core, and of the connection besides."""
        factor = rng.lognormvariate(-(self.spread**2) / 2, self.spread)
        return factor * self.server_s(x), max(self.client_ms.at(x), 0.0) / 1e3


Costs = dict[str, Service]


def read_costs(file: Path = MEASURED) -> Costs:
    """What was measured on the largest tables, by operation.

    What a client sees is taken from one that was alone, so that clients' waiting for each other is not in it. What the
    server's cores spend is taken from as many clients as there were at most: a busy server spends more on the same.
    """
    measured = [Cost.from_json(values) for values in json.loads(file.read_text())["costs"]]
    measured = [cost for cost in measured if cost.load.jobs < MANY_JOBS]
    crowding = _crowding(measured)
    alone = [cost for cost in measured if cost.load.clients == 1]
    return {operation: _service(operation, alone, crowding) for operation in sorted({cost.operation for cost in alone})}


def _on_largest_tables(measured: list[Cost]) -> list[Cost]:
    num_rows = max(cost.load.rows for cost in measured)
    return [cost for cost in measured if cost.load.rows >= num_rows / 2]


def _crowding(measured: list[Cost]) -> float:
    """How much more of its cores the server spends on the same transactions when it is crowded."""
    num_clients = max(cost.load.clients for cost in measured)
    busiest = _on_largest_tables([cost for cost in measured if cost.load.clients == num_clients])
    crowded = {cost.operation: cost.server_ms for cost in busiest}
    # One client's runs are in the order of their size; the first on large tables is the one beside the busiest.
    runs = _on_largest_tables([cost for cost in measured if cost.load.clients == 1])
    alone = {cost.operation: cost.server_ms for cost in reversed(runs)}
    return max(1.0, sum(crowded.values()) / sum(alone[operation] for operation in crowded))


def _service(operation: str, measured: list[Cost], crowding: float) -> Service:
    of_it = _on_largest_tables([cost for cost in measured if cost.operation == operation])
    x = GROWS_WITH.get(operation)

    def line(value: Callable[[Cost], float]) -> Line:
        return Line.through([(getattr(cost.load, x) if x else 0, value(cost)) for cost in of_it])

    # The steadiest run: on a shared machine others' work widens the rest.
    spread = min(math.log(max(cost.p95_ms / cost.median_ms, 1.0)) for cost in of_it) / NORMAL_P95
    return Service(
        line(lambda cost: crowding * cost.server_ms),
        line(lambda cost: max(cost.median_ms - cost.server_ms, 0.0)),
        spread,
    )
