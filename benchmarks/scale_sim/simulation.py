"""One scenario from its first claim to the end of its jobs, and what came of it."""

from statistics import median, quantiles

from benchmarks.scale_sim.arithmetic import expected_images_per_s
from benchmarks.scale_sim.costs import Costs
from benchmarks.scale_sim.database import SimulatedDatabase
from benchmarks.scale_sim.fleet import Fleet
from benchmarks.scale_sim.ledger import SimulatedLedger
from benchmarks.scale_sim.loop import Loop
from benchmarks.scale_sim.scenario import Report, Scenario

# A simulation that lasts longer than this does not end.
MAX_S = 7_200.0
# Of the work: before, workers begin; behind, they run out of it one after the other.
MIDDLE = (0.25, 0.75)


def simulate(scenario: Scenario, costs: Costs) -> Report:
    """Run a scenario to its end, and compare it with the contract and with the arithmetic."""
    loop = Loop()
    ledger = SimulatedLedger(loop, scenario)
    database = SimulatedDatabase(loop, scenario, ledger, costs)
    fleet = Fleet(loop, scenario, database)
    middle = _Middle(loop, database, ledger.num_images)

    def is_over() -> bool:
        middle.look()
        return database.num_rows >= ledger.num_images

    loop.run(until=is_over, max_s=MAX_S)
    duration_s = loop.now_s
    ledger.sweep()
    breaches = tuple(ledger.breaches())
    ledger.close()
    alive = [worker_id for worker_id in database.expired_of if worker_id not in fleet.troubled]
    return Report(
        scenario=scenario,
        images_per_s=middle.images_per_s,
        expected_images_per_s=expected_images_per_s(scenario, costs),
        utilisation=middle.utilisation,
        transactions_per_s=middle.transactions_per_s,
        claim_ms=middle.claim_ms,
        duration_s=duration_s,
        deaths=fleet.num_deaths,
        expired=len(database.expired_of),
        expired_alive=len(alive),
        bisected=database.num_bisected,
        given_up=database.num_given_up,
        fenced=database.num_fenced,
        breaches=breaches,
    )


class _Middle:
    """What happens between two moments: when the first quarter of the work is done, and when three quarters are."""

    def __init__(self, loop: Loop, database: SimulatedDatabase, num_rows: int) -> None:
        self._loop, self._database = loop, database
        self._marks = [share * num_rows for share in MIDDLE]
        self._seen: list[tuple[float, float, int]] = []  # time, cores' busy time, transactions

    def look(self) -> None:
        """Note the moment, if it is one of the two."""
        if len(self._seen) < len(self._marks) and self._database.num_rows >= self._marks[len(self._seen)]:
            self._seen.append((self._loop.now_s, self._database.cores.busy_s(), self._database.num_transactions))

    @property
    def _bounds_s(self) -> tuple[float, float]:
        if len(self._seen) < len(self._marks):
            return 0.0, max(self._loop.now_s, 1e-9)
        return self._seen[0][0], self._seen[1][0]

    @property
    def images_per_s(self) -> float:
        first_s, last_s = self._bounds_s
        return sum(number for at_s, number in self._database.finished if first_s < at_s <= last_s) / (last_s - first_s)

    @property
    def utilisation(self) -> float:
        first_s, last_s = self._bounds_s
        busy_s = self._seen[1][1] - self._seen[0][1] if len(self._seen) == len(self._marks) else 0.0
        return busy_s / (last_s - first_s) / self._database.num_cores

    @property
    def transactions_per_s(self) -> float:
        first_s, last_s = self._bounds_s
        number = self._seen[1][2] - self._seen[0][2] if len(self._seen) == len(self._marks) else 0
        return number / (last_s - first_s)

    @property
    def claim_ms(self) -> tuple[float, float]:
        first_s, last_s = self._bounds_s
        took = [1e3 * took_s for at_s, took_s in self._database.claim_s if first_s < at_s <= last_s] or [0.0, 0.0]
        return median(took), quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
