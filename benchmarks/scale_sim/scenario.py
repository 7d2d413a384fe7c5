"""What is simulated, and what came out of it."""

from dataclasses import dataclass

from core.jobs import DEFAULT_CHUNK_SIZE
from workers.holding import LOOK_INTERVAL_S, MAX_RENEWAL_INTERVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A fleet, its work, its database, and what befalls it."""

    name: str = ""
    seed: int = 1

    workers: int = 1_000
    images_per_s: float = 350.0  # of one worker; docs/explanation/performance.md: MobileNet-0.75 through servers
    chunk_size: int = DEFAULT_CHUNK_SIZE
    chunks_per_worker: int = 6  # how much work there is
    jobs: int = 1
    images_per_row: int = 32  # an image of the simulated ledger stands for so many; times are those of all of them
    with_features: bool = False

    cores: int = 2  # of the database's machine
    connections: int = 200  # that it takes, or that a pooler lets through
    round_trips_s: float = 0.002  # what a network adds to a transaction

    lease_s: float = 30.0
    renewal_interval_s: float = MAX_RENEWAL_INTERVAL_S
    look_interval_s: float = LOOK_INTERVAL_S
    sweep_interval_s: float = 10.0
    sweepers: int | None = None  # None: one in each worker, as it is

    deaths_per_min: float = 0.0  # the share of workers that die; whoever replaces one comes after `replaced_after_s`
    replaced_after_s: float = 20.0
    freezes_per_min: float = 0.0  # the share that stands still for longer than a lease, and then goes on
    frozen_s: float = 45.0
    rack: int = 0  # workers that die together in the fifth second, and are not replaced

    @property
    def num_chunks(self) -> int:
        """How many chunks there are: enough for a steady part in the middle."""
        return max(self.workers * self.chunks_per_worker, 64)

    @property
    def rows_per_chunk(self) -> int:
        """Images of the simulated ledger in a chunk."""
        return max(1, self.chunk_size // self.images_per_row)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a scenario."""

    scenario: Scenario
    images_per_s: float  # in the middle part of the work
    expected_images_per_s: float  # by the arithmetic of `arithmetic.py`
    utilisation: float  # of the database's cores in that part, 0..1
    transactions_per_s: float
    claim_ms: tuple[float, float]  # median and 95th percentile, waiting included
    duration_s: float
    deaths: int
    expired: int  # leases that sweeps took back
    expired_alive: int  # of workers that were neither dead nor frozen: they waited too long for the database
    bisected: int
    given_up: int  # images with an error row because workers died over them
    fenced: int  # finishes that came too late and changed nothing
    breaches: tuple[str, ...]  # of the contract; there must be none
