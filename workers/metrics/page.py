"""The page that Prometheus reads of a worker. It belongs to the process that supervises, not to those that compute.

So it answers while a computing process is busy, or dead; what a dead one counted stays; and any number of them on one
machine share one address. See docs/adr/0034.
"""

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from core.addresses import parse_address
from core.errors import SetupError
from workers.metrics.build import BuildInfo
from workers.metrics.cards import CardsCollector
from workers.metrics.counting import FOLDER_VARIABLE
from workers.metrics.sweeps import SweepCounter


class MetricsPage:
    """Answers at an address from when it is made, so that a port that is taken is known before any work begins.

    Args:
        address: where, `HOST:PORT`.

    Raises:
        SetupError: nobody can listen there.
    """

    def __init__(self, address: str) -> None:
        self._address = parse_address(address)
        self._folder = TemporaryDirectory(prefix="labelyard-metrics-", ignore_cleanup_errors=True)
        self.registry = make_page_registry(self._folder.name)
        self.swept = SweepCounter(self.registry)
        try:
            self._server, self._thread = start_http_server(self._address.port, self._address.host, self.registry)
        except OSError as error:
            self._folder.cleanup()
            raise SetupError(
                f"LABELYARD_METRICS_LISTEN: received {address}, and nobody can listen there "
                f"({error.strerror or error}). Expected an address of this machine and a port that is free: choose "
                "another one for each `labelyard worker` of a machine."
            ) from error

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self._address}/metrics"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the processes that compute need in their environment when they start."""
        return {FOLDER_VARIABLE: self._folder.name}

    def start(self) -> None:
        """Do nothing; it answers already."""

    def stop(self) -> None:
        """Answer no more, and delete what was counted."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """It answers already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def make_page_registry(folder: str) -> CollectorRegistry:
    """What a page shows, but for sweeps: the sums of all that is counted into a folder, the version, the cards."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    registry.register(BuildInfo())
    registry.register(CardsCollector())
    return registry
