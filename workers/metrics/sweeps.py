"""Counting what sweeps find. Every expiry is found by one sweep, wherever it runs, so the sum over all is the truth."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter

from core.jobs import SweepReport


@dataclass
class SweepCounter:
    """Counts expired leases by what became of their chunks.

    Args:
        registry: where the counter belongs.
    """

    registry: CollectorRegistry
    _expired: Counter = field(init=False)

    def __post_init__(self) -> None:
        """Begin with 0 of each."""
        self._expired = Counter(
            "labelyard_leases_expired_total",
            "Leases that ran out and were found by a sweep of this process, by what became of the chunk.",
            ["fate"],
            registry=self.registry,
        )
        self(SweepReport())

    def __call__(self, report: SweepReport) -> None:
        """Add what one sweep found."""
        self._expired.labels("requeued").inc(report.num_requeued)
        self._expired.labels("bisected").inc(report.num_bisected)
        self._expired.labels("given_up").inc(report.num_given_up)
