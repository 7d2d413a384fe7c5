"""`labelyard workers`: who works, how fast, on what, and what keeps the others from it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from orchestrator.fleet import WorkerStatus

# From nothing to as much as the fastest column of all workers.
BARS, PLAIN_BARS = "·▁▂▃▄▅▆▇█", " .:-=+*#@"
_STYLES = {"working": "green", "idle": "cyan", "declining": "yellow", "frozen": "red", "gone": "dim"}


def workers(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that have been gone for long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable output.")] = False,
) -> None:
    """Show the workers: what each is doing, its speed over the last ten minutes, and why it declines work."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import console, print_json, print_line, printable
    from orchestrator.fleet import list_fleet

    with open_context() as opened, opened.database.read() as session:
        fleet = list_fleet(session, all_of_them=every)
    if as_json:
        print_json([worker.to_json() for worker in fleet])
        return
    if not fleet:
        print_line("No worker is running. `labelyard worker` starts one; `labelyard label` brings its own.")
        return
    _print_table(fleet)
    for worker in fleet:
        for problem in worker.problems:
            console().print(printable(f"{worker.id}: {problem}"), style="yellow", soft_wrap=True)


def _print_table(fleet: Sequence["WorkerStatus"]) -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestrator.cli.printing import console, printable
    from orchestrator.times import ago

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("worker", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seen", no_wrap=True, justify="right")
    table.add_column("images/s", no_wrap=True, justify="right")
    table.add_column("last 10 minutes", no_wrap=True)
    table.add_column("chunks", no_wrap=True)
    table.add_column("networks", no_wrap=True)
    table.add_column("device", overflow="fold")
    highest = max(max(worker.rates) for worker in fleet)
    for worker in fleet:
        table.add_row(
            printable(worker.id),
            Text(worker.state, style=_STYLES[worker.state]),
            ago(worker.seen_s_ago),
            f"{worker.images_per_s:.1f}",
            _graph(worker.rates, highest),
            "\n".join(f"job {one.job_id}: {one.num_processed:,}/{one.num_images:,}" for one in worker.chunks),
            "\n".join(worker.warm),
            worker.device or "",
        )
    console().print(table)


def _graph(rates: Sequence[float], highest: float) -> "Text":
    from rich.text import Text

    bars = BARS if _can_show(BARS) else PLAIN_BARS
    return Text("".join(bars[_height(rate, highest, len(bars) - 1)] for rate in rates), style="green")


def _height(rate: float, highest: float, num_heights: int) -> int:
    # What is not nothing is seen.
    return 0 if rate <= 0 else max(1, round(rate / highest * num_heights))


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
