"""All that one orchestrator process shows to Prometheus. Made once in its life and handed on; nothing is global.

`exposition` is what `GET /metrics` answers.
"""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.settings import Settings
from db.database import Database
from orchestrator.metrics.broker import BrokerCollector
from orchestrator.metrics.collector import LedgerCollector
from workers.metrics.build import BuildInfo
from workers.metrics.sweeps import SweepCounter

# What the answer is, for the header `Content-Type`.
CONTENT_TYPE = CONTENT_TYPE_LATEST


class OrchestratorMetrics:
    """What an orchestrator shows: the ledger, the broker, and what it did itself.

    Args:
        database: the ledger.
        settings: whether there is a broker.

    Raises:
        BrokerError: its URL cannot be used.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(BuildInfo())
        self.registry.register(LedgerCollector(database))
        if not settings.is_embedded:
            self.registry.register(BrokerCollector(settings))
        self.swept = SweepCounter(self.registry)
        self._ticks = _Ticks()
        self.registry.register(self._ticks)

    def ticked(self) -> None:
        """Note that the schedules were looked at."""
        self._ticks.tick()

    def exposition(self) -> bytes:
        """Prometheus' text format. May wait for the ledger and the broker, so not for a thread that others need."""
        return generate_latest(self.registry)


class _Ticks(Collector):
    """Looks at the schedules by this process; nothing while there were none, as it may be another one's task."""

    def __init__(self) -> None:
        self._num_ticks = 0
        self._last_at_s = 0.0

    def tick(self) -> None:
        self._num_ticks += 1
        self._last_at_s = time.time()

    def collect(self) -> Iterator[Metric]:
        """Say when the last one was."""
        yield CounterMetricFamily(
            "labelyard_schedule_ticks", "Looks of this process at the schedules.", value=self._num_ticks
        )
        if self._num_ticks:
            yield GaugeMetricFamily(
                "labelyard_schedule_last_tick_timestamp_seconds",
                "When this process last looked at the schedules, in seconds since 1970.",
                self._last_at_s,
            )
