"""How many wake-ups wait in the broker, as Prometheus' metrics. The ledger does not need them to be there."""

import threading
import time
from collections.abc import Iterator, Mapping

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.errors import BrokerError
from core.queues import SCHEDULE_QUEUE, Queue
from core.settings import Settings

logger = structlog.get_logger(__name__)

FRESH_S = 5.0
# Whoever looks waits for other things too.
TIMEOUT_S = 1.0
_QUEUES = (*Queue, SCHEDULE_QUEUE)


class BrokerCollector(Collector):
    """Asks the broker when it is asked.

    Args:
        settings: which broker.

    Raises:
        BrokerError: its URL cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        # Celery costs start-up time that those without a broker need not pay.
        from workers.app import create_app  # noqa: PLC0415

        self._app = create_app(settings, include=())
        self._app.conf.broker_transport_options |= {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        self._lock = threading.Lock()
        self._waiting: Mapping[str, int] | None = None
        self._good_until_s = float("-inf")

    def describe(self) -> list[Metric]:
        """Say nothing: a registry asks when it is made."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask, unless that was just done."""
        with self._lock:
            if time.monotonic() >= self._good_until_s:
                self._waiting = self._ask()
                self._good_until_s = time.monotonic() + FRESH_S
            waiting = self._waiting
        yield GaugeMetricFamily("labelyard_broker_up", "Whether the broker answers.", waiting is not None)
        if waiting is not None:
            messages = GaugeMetricFamily("labelyard_broker_messages", "Wake-ups that wait in it.", labels=["queue"])
            for name, number in waiting.items():
                messages.add_metric([name], number)
            yield messages

    def _ask(self) -> Mapping[str, int] | None:
        from workers.broker import num_waiting  # noqa: PLC0415 - as above

        try:
            return {str(name): num_waiting(self._app, name) for name in _QUEUES}
        except BrokerError as error:
            logger.warning("broker_not_counted", problem=str(error))
            return None
