"""What was measured, for people and for programs."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.comparison import Reached, Results, by_side
from benchmarks.measurement import Measurement
from benchmarks.suites import Suite

PACKAGES = ("keras", "tensorflow", "openvino", "ray", "opencv-python-headless", "numpy")


def print_suite(suite: Suite, results: Results, *, num_images: int) -> None:
    """Print a table of the sides."""
    print(f"\n{suite.title.format(number=f'{num_images:,}')}; medians of the rounds, lowest and highest in brackets")
    unit = "images/s" if suite.is_rate else "seconds"
    print(f"  {'':36} {unit:>9} {'':17} {'start-up':>9} {'in all':>8}")
    found = by_side(results)
    for key, name in suite.sides.items():
        if measured := found.get(key):
            values = [one.rate if suite.is_rate else one.seconds for one in measured]
            spread = f"({min(values):.1f} to {max(values):.1f})"
            startup_s = median(one.startup_s for one in measured)
            wall_s = median(one.wall_s for one in measured)
            line = f"  {name:36} {median(values):9.1f} {spread:17} {startup_s:7.1f} s {wall_s:6.1f} s"
            print(line + _cost_and_memory(measured))


def _cost_and_memory(measured: Sequence[Measurement]) -> str:
    """What an image takes and what the orchestrator's memory was at most, where memory was measured."""
    peaks_mb = [one.peak_mb for one in measured if one.peak_mb is not None]
    if not peaks_mb:
        return ""
    return f"   {median(1e6 / one.rate for one in measured):6.1f} µs an image, {median(peaks_mb):4.0f} MB"


def print_figures(figures: Sequence[Reached]) -> None:
    """Print a table of the ratios and what was to be reached."""
    if not figures:
        return
    print(f"\n  {'median of the rounds':52} {'measured':>9} {'target':>9}")
    for figure in figures:
        sign = "<=" if figure.is_at_most else ">="
        verdict = "reached" if figure.is_reached else "NOT REACHED"
        print(f"  {figure.name:52} {figure.ratio:9.2f} {f'{sign} {figure.target:g}':>9}  {verdict}")


def to_json(
    measured: Mapping[str, Results], figures: Sequence[Reached], *, num_rounds: int, num_images: int | None
) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "num_rounds": num_rounds,
        "num_images": num_images,  # null: as many as each suite asks for
        "suites": {
            name: {
                key: [one.to_json() | {"rate": one.rate} for one in values] for key, values in by_side(results).items()
            }
            for name, results in measured.items()
        },
        "figures": [figure.to_json() for figure in figures],
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {
        "processor": _processor(),
        "num_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
