"""The memory of NVIDIA's cards, asked from the driver's own tool, so that no process needs CUDA for it."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from shutil import which

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# The driver takes a tenth of a second to answer; two who scrape share an answer.
FRESH_S = 5.0
TIMEOUT_S = 5.0
_TOOL = "nvidia-smi"
_QUERY = ("--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits")
_MEBIBYTE = 1024**2
_NUM_FIELDS = 3


@dataclass(frozen=True, slots=True)
class CardMemory:
    """How full a card is."""

    index: str  # the driver's number of it
    used_bytes: int
    size_bytes: int


class CardsCollector(Collector):
    """Shows how full the machine's cards are; nothing where there are none.

    Args:
        ask: makes the tool's answer, a line of three numbers for each card; None: it does not answer.
    """

    def __init__(self, ask: Callable[[], str | None] | None = None) -> None:
        self._ask = ask or _ask_driver
        self._cards: Sequence[CardMemory] = ()
        self._asked_at_s = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask, unless that was just done."""
        if time.monotonic() - self._asked_at_s > FRESH_S:
            self._cards = read_cards(self._ask() or "")
            self._asked_at_s = time.monotonic()
        used = GaugeMetricFamily("labelyard_gpu_memory_used_bytes", "Memory in use of a card.", labels=["gpu"])
        size = GaugeMetricFamily("labelyard_gpu_memory_size_bytes", "Memory that a card has.", labels=["gpu"])
        for card in self._cards:
            used.add_metric([card.index], card.used_bytes)
            size.add_metric([card.index], card.size_bytes)
        yield from (used, size)


def read_cards(answer: str) -> list[CardMemory]:
    """Read what `nvidia-smi` prints; a line that is no three numbers ("[N/A]" in a slice of a card) is passed over."""
    rows = [[value.strip() for value in line.split(",")] for line in answer.splitlines()]
    return [
        CardMemory(row[0], int(row[1]) * _MEBIBYTE, int(row[2]) * _MEBIBYTE)
        for row in rows
        if len(row) == _NUM_FIELDS and all(value.isdecimal() for value in row)
    ]


def _ask_driver() -> str | None:
    tool = which(_TOOL)
    if tool is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own tool
            [tool, *_QUERY], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        # A driver that hangs is not made better by a page that does not answer.
        return None
    return done.stdout
