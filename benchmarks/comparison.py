"""Running what is compared in turns, and what follows from it: medians, ratios, whether a target is reached."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import places
from benchmarks.measurement import Measurement

MAX_RUN_S = 1800
# What was measured in each round, by side; a side that failed is not there.
Results = list[dict[str, Measurement]]


class SideFailedError(Exception):
    """A side ended without a measurement; the message holds the end of what it said."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio that is to be reached, or a plain number."""

    name: str
    target: float
    ratio: Callable[[dict[str, Measurement]], float]  # of one round
    needs: tuple[str, ...]  # the sides that it is made of
    is_at_most: bool = False  # the target is an upper limit, not a lower one


@dataclass(frozen=True, slots=True)
class Reached:
    """What was measured of a figure."""

    name: str
    target: float
    is_at_most: bool
    ratios: tuple[float, ...]  # by round

    @property
    def ratio(self) -> float:
        """The median of the rounds: what slowed one round down slowed both of its sides."""
        return median(self.ratios)

    @property
    def is_reached(self) -> bool:
        """Whether it is good enough."""
        return self.ratio <= self.target if self.is_at_most else self.ratio >= self.target

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return {
            "figure": self.name,
            "target": self.target,
            "is_at_most": self.is_at_most,
            "ratio": self.ratio,
            "by_round": self.ratios,
            "is_reached": self.is_reached,
        }


def run_module(module: str, arguments: Sequence[str | Path]) -> dict[str, Measurement]:
    """Run a module below `benchmarks.sides` in a process of its own and read what it measured.

    Raises:
        SideFailedError: it measured nothing.
    """
    command = [sys.executable, "-m", f"benchmarks.sides.{module}", *map(str, arguments)]
    child = subprocess.run(  # noqa: S603 - our own modules
        command, cwd=places.KEPT, env=environment(), capture_output=True, text=True, check=False, timeout=MAX_RUN_S
    )
    if child.returncode != 0:
        raise SideFailedError(f"{module} ended with status {child.returncode}:\n{child.stderr[-2000:]}")
    values = json.loads(child.stdout.splitlines()[-1])
    return {key: Measurement.from_json(measured) for key, measured in values.items()}


def environment() -> dict[str, str]:
    """What sides run in: the environment without anybody's settings of Labelyard, and a warm state folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
    return kept | {
        "LABELYARD_TEST_DATA": os.environ["LABELYARD_TEST_DATA"],
        "LABELYARD_HOME": str(places.WARM_HOME),
        "RAY_USAGE_STATS_ENABLED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def by_side(results: Results) -> dict[str, list[Measurement]]:
    """The measurements of each side, round after round."""
    keys = dict.fromkeys(key for measured in results for key in measured)
    return {key: [measured[key] for measured in results if key in measured] for key in keys}


def reached(figures: Sequence[Figure], results: Results) -> Iterator[Reached]:
    """What was measured of the figures whose sides were all run."""
    for figure in figures:
        ratios = tuple(figure.ratio(measured) for measured in results if measured.keys() >= set(figure.needs))
        if ratios:
            yield Reached(figure.name, figure.target, figure.is_at_most, ratios)
