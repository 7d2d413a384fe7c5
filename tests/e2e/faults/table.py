"""What came of the matrix, as a table: in the terminal, and as Markdown for docs/explanation/reliability.md."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from e2e.faults.scenario import Outcome, Scenario, Timing
from rich.console import Console
from rich.table import Table
from server_process import ServerMissingError
from servers import server_versions

COLUMNS = ("fault", "lease", "how often", "lost", "duplicated", "recovered", "slowest recovery", "expected")
NUMBERS = COLUMNS[2:7]
PACKAGES = ("celery", "kombu", "redis", "sqlalchemy", "psycopg", "openvino", "opencv-python-headless")


def print_table(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells."""
    table = Table(*COLUMNS)
    for column in table.columns:
        column.justify = "right" if column.header in NUMBERS else "left"
    for row in rows:
        table.add_row(*row)
    console.print(table)


def to_markdown(rows: Sequence[Sequence[str]], *, command: str) -> str:
    """The table, under a line that says when, on what and how it was made."""
    alignment = ["---:" if column in NUMBERS else "---" for column in COLUMNS]
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, alignment, *rows)]
    return "\n".join([f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, on {machine()}.", "", *lines, ""])


def row_of(scenario: Scenario, timing: Timing, result: Outcome | str) -> tuple[str, ...]:
    """The cells of a scenario: what came of it, or why it was not played."""
    lease = f"{timing.lease_s:g} s"
    if isinstance(result, str):
        return (scenario.fault, lease, "-", "-", "-", "-", "-", f"not tried: {result}")
    slowest = "-" if result.slowest_recovery_s is None else f"{result.slowest_recovery_s:.1f} s"
    numbers = (str(result.count), str(result.lost), str(result.duplicated), f"{result.recovered} of {result.count}")
    return (scenario.fault, lease, *numbers, slowest, scenario.expected)


def machine() -> str:
    """Cores, processor and versions; no name and no path."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}, {_servers()}, {packages}"


def _servers() -> str:
    try:
        return server_versions()
    except ServerMissingError:
        return "no servers"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
