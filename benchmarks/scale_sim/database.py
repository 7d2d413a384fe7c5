"""The database as workers see it: so many connections, so many cores, a queue before both, and the ledger behind them.

A transaction holds a connection from its begin to its end. Its service is one piece of a core's time; what it does to
the ledger happens when that has passed. What a worker asked for before it died is still done; in life most of it would
be rolled back, so this is the harder case.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.scale_sim.costs import Costs
from benchmarks.scale_sim.ledger import SimulatedLedger
from benchmarks.scale_sim.loop import Loop, Request, Resume, Station
from benchmarks.scale_sim.scenario import Scenario
from core.jobs import Claim


class SimulatedDatabase:
    """Transactions that take their time.

    Args:
        loop: simulated time.
        scenario: how large the database is.
        ledger: what transactions do.
        costs: what they take.
    """

    def __init__(self, loop: Loop, scenario: Scenario, ledger: SimulatedLedger, costs: Costs) -> None:
        self._loop, self._scenario, self._ledger, self._costs = loop, scenario, ledger, costs
        self._connections = Station(loop, scenario.connections)
        self.cores, self.num_cores = Station(loop, scenario.cores), scenario.cores
        self._rng = Random(f"database {scenario.seed}")  # noqa: S311 - dice
        self._leased: dict[int, tuple[str, int]] = {}  # chunks: whose they are, by which attempt
        self.num_transactions = 0
        self.claim_s: list[tuple[float, float]] = []  # when each ended, and how long it took
        self.finished: list[tuple[float, int]] = []  # when each chunk was finished, and its images
        self.num_rows = 0
        self.num_fenced = self.num_bisected = self.num_given_up = 0
        self.expired_of: list[str] = []  # the workers whose leases ran out

    def claim(self, worker_id: str) -> Request:
        """A chunk, or None."""
        began_s = self._loop.now_s

        def act() -> Claim | None:
            lease = self._ledger.claim()
            self.claim_s.append((self._loop.now_s, self._loop.now_s - began_s))
            if lease is not None:
                self._leased[lease.chunk_id] = (worker_id, lease.attempt)
            return lease

        return self._transaction("claim", act, x=len(self._leased))

    def read(self, lease: Claim) -> Request:
        """What a chunk owes."""
        return self._transaction("read", lambda: None, x=self._size(lease))

    def find_features(self, lease: Claim) -> Request:
        """Features of some of its images; there are none."""
        return self._transaction("find features", lambda: None, x=self._size(lease))

    def save_features(self, lease: Claim) -> Request:
        """Features of all of its images."""
        return self._transaction("save features", lambda: None, x=self._size(lease))

    def renew(self, lease: Claim, num_processed: int) -> Request:
        """Whether the lease was still the worker's, and so is prolonged."""
        return self._transaction("renew", lambda: self._ledger.renew(lease, num_processed))

    def look(self, lease: Claim) -> Request:
        """Whether the lease is still the worker's, as claims and sweeps have said: a look changes nothing."""
        return self._transaction("look", lambda: self._leased.get(lease.chunk_id, ("", 0))[1] == lease.attempt)

    def finish(self, lease: Claim) -> Request:
        """Whether the rows were written."""

        def act() -> bool:
            is_held = self._ledger.finish(lease)
            if is_held:
                self._leased.pop(lease.chunk_id, None)
                self.num_rows += lease.num_images
                self.finished.append((self._loop.now_s, self._size(lease)))
            else:
                self.num_fenced += 1
            return is_held

        return self._transaction("finish", act, x=self._size(lease))

    def close(self, lease: Claim) -> Request:
        """A look whether the job is over; the finish has closed it, because here no two end in the same moment."""
        del lease
        return self._transaction("close", lambda: None)

    def sweep(self) -> Request:
        """How many chunks are queued behind a sweep."""

        def act() -> int:
            swept = self._ledger.sweep()
            self.num_bisected += swept.report.num_bisected
            self.num_given_up += swept.report.num_given_up
            self.num_rows += swept.report.num_given_up
            self.expired_of += [self._leased.pop(chunk_id)[0] for chunk_id in swept.expired]
            return swept.num_queued

        return self._transaction("sweep", act, x=len(self._leased))

    def _transaction(self, operation: str, act: Callable[[], Any], *, x: float = 0.0) -> Request:
        server_s, client_s = self._costs[operation].draw(self._rng, x)
        self.num_transactions += 1

        def request(resume: Resume) -> None:
            def served() -> None:
                result = act()
                self.cores.leave()
                self._connections.leave()
                resume(result)

            def connected() -> None:
                wait_s = client_s + self._scenario.round_trips_s
                self._loop.after(wait_s, lambda: self.cores.enter(lambda: self._loop.after(server_s, served)))

            self._connections.enter(connected)

        return request

    def _size(self, lease: Claim) -> int:
        return lease.num_images * self._scenario.chunk_size // self._scenario.rows_per_chunk
