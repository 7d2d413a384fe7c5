"""Which version runs, as a metric that is always 1. Shown by workers and orchestrators alike."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class BuildInfo(Collector):
    """Labelyard's version, and the versions that a mistake is most often of."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Say it."""
        info = GaugeMetricFamily(
            "labelyard_build_info", "Always 1; the labels say which version runs.", labels=["version", "python"]
        )
        info.add_metric([version("labelyard"), platform.python_version()], 1)
        yield info
