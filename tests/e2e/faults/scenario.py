"""What a scenario is and what comes of one. The same for the tests and for `make chaos`; only the numbers differ."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.faults.stage import Stage


@dataclass(frozen=True, slots=True)
class Timing:
    """How soon a lease runs out, and how often sweepers look."""

    lease_s: float
    sweep_interval_s: float

    @property
    def env(self) -> dict[str, str]:
        """As the program reads it."""
        return {
            "LABELYARD_LEASE_S": f"{self.lease_s:g}",
            "LABELYARD_SWEEP_INTERVAL_S": f"{self.sweep_interval_s:g}",
        }


AS_SHIPPED = Timing(lease_s=30, sweep_interval_s=10)
QUICK = Timing(lease_s=4, sweep_interval_s=1)


@dataclass(slots=True)
class Outcome:
    """What a scenario found."""

    count: int = 0  # how often the fault was made
    lost: int = 0  # images of accepted jobs without a row of their own after the job's end
    duplicated: int = 0  # rows or finished executions beyond one
    recovered: int = 0  # faults after which the work went on as it should
    slowest_recovery_s: float | None = None  # from a fault until its work went on; None: there is nothing to measure


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the matrix."""

    name: str  # for --only
    fault: str
    expected: str
    run: Callable[["Stage", Random, int], Outcome]  # makes the fault so often
    count: int  # in `make chaos`
    num_in_tests: int  # in `make test`, which has 90 seconds for all
    timing: Timing = QUICK  # in `make chaos`; tests are always quick
    max_recovery_s: float | None = None  # in `make chaos`; tests assert no time
    missing: Callable[[], str | None] = lambda: None  # why this machine cannot do it

    def problems(self, outcome: Outcome, *, is_timed: bool) -> list[str]:
        """What is not as expected, as sentences."""
        found = []
        if outcome.lost or outcome.duplicated:
            found.append(f"{outcome.lost} lost and {outcome.duplicated} duplicated, expected none")
        if outcome.recovered < outcome.count or not outcome.count:
            found.append(f"{outcome.recovered} of {outcome.count} recovered, expected all")
        slowest_s = outcome.slowest_recovery_s
        if is_timed and self.max_recovery_s is not None and slowest_s is not None and slowest_s > self.max_recovery_s:
            found.append(f"the slowest recovery took {slowest_s:.1f} s, expected at most {self.max_recovery_s:g} s")
        return found
