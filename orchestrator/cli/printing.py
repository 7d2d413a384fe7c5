"""Tables and sentences on standard output. On a terminal they are coloured and fit its width; piped, they are plain."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from core.types import JobState
from orchestrator.summary import JobSummary
from orchestrator.times import duration

# A pipe has no width; tables are then as wide as they need to be.
PIPE_WIDTH = 200
# Longer names of jobs are cut in tables.
MAX_NAME_WIDTH = 80
# What a narrow terminal leaves of them.
MIN_TEXT_WIDTH = 4

_STATE_STYLES = {
    JobState.RUNNING: "cyan",
    JobState.PAUSED: "yellow",
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
}


def console() -> Console:
    """The console for standard output."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_json(value: Any) -> None:  # noqa: ANN401 - anything that JSON can hold
    """Print one JSON document and nothing else; ASCII, so that any file name survives any terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_line(text: str) -> None:
    """Print one line as it is, whatever a file name in it holds."""
    console().print(printable(text), soft_wrap=True)


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 image", "2,000 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> Text:
    """Text that any terminal can show: foreign bytes become a mark, and nothing in it is markup or control."""
    decoded = os.fsencode(text).decode(errors="replace") if _is_encodable(text) else ascii(text)
    return Text("".join(character if character.isprintable() or character == "\n" else "�" for character in decoded))


def print_jobs(summaries: Sequence[JobSummary]) -> None:
    """Print a table of jobs."""
    if not summaries:
        print_line("No jobs yet. `labelyard label FOLDER` makes the first.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    # On a narrow terminal the last two give way, line by line; figures that are cut off would be wrong ones.
    for heading in ("id", "state", "images", "errors", "images/s", "left", "kind"):
        table.add_column(heading, justify="left" if heading in ("state", "kind") else "right", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=MIN_TEXT_WIDTH)
    table.add_column("name", overflow="fold", min_width=MIN_TEXT_WIDTH, max_width=MAX_NAME_WIDTH)
    for summary in summaries:
        table.add_row(
            str(summary.job_id),
            Text(summary.state, style=_STATE_STYLES[summary.state]),
            f"{summary.num_finished:,}/{summary.num_images:,}{'' if summary.is_planned else '+'}",
            f"{summary.num_errors:,}",
            f"{summary.images_per_s:.1f}",
            "" if summary.seconds_left is None else duration(summary.seconds_left),
            summary.kind,
            ", ".join(summary.models),
            escape(printable(summary.name).plain),
        )
    console().print(table)


def print_job(summary: JobSummary, num_others: Mapping[str, int]) -> None:
    """Print one job in full.

    Args:
        summary: the job.
        num_others: labels that it does not hold, by model.
    """
    out = console()
    rows: list[tuple[str, Text | str]] = [
        ("job", f"{summary.job_id}"),
        ("kind", summary.kind),
        ("name", printable(summary.name)),
        ("state", Text(summary.state, style=_STATE_STYLES[summary.state])),
        ("model", ", ".join(summary.models)),
        ("priority", summary.priority),
        ("images", f"{summary.num_images:,}{'' if summary.is_planned else ' so far, still being found'}"),
        ("predictions", f"{summary.num_predictions:,}"),
        ("errors", f"{summary.num_errors:,}"),
        ("", "") if summary.num_to_review is None else ("need a look", f"{summary.num_to_review:,}"),
        ("other files", f"{summary.num_skipped:,} passed over") if summary.num_skipped else ("", ""),
        ("speed", f"{summary.images_per_s:.1f} images/s over {summary.seconds:.1f} s"),
        ("", "") if summary.seconds_left is None else ("time left", duration(summary.seconds_left)),
        ("chunks", ", ".join(f"{number:,} {state}" for state, number in summary.num_chunks.items()) or "none"),
    ]
    if any(summary.stages.values()):
        rows.append(("stages", ", ".join(f"{name[:-2]} {spent:.1f} s" for name, spent in summary.stages.items())))
    for worker in summary.workers:
        loads = ", ".join(f"{name} loaded {number}x" for name, number in worker.backbone_loads.items())
        rows.append(("worker", f"{worker.id} {f'({loads})' if loads else ''}"))
    grid = Table.grid(padding=(0, 2))
    for heading, value in rows:
        if heading:
            grid.add_row(Text(heading, style="bold"), value)
    out.print(grid)
    print_counts(summary, num_others)
    for note in (summary.error, summary.waits_for):
        if note:
            out.print(printable(note), style="yellow")


def print_counts(summary: JobSummary, num_others: Mapping[str, int]) -> None:
    """Print how many images got each label, by model, and how many failed for each reason.

    Args:
        summary: of the job.
        num_others: labels that it does not hold, by model.
    """
    for model, counts in summary.labels.items():
        by_whom = f" ({model})" if len(summary.labels) > 1 else ""
        _print_counts(f"most frequent labels{by_whom}", counts)
        if num_more := num_others.get(model, 0):
            print_line(f"… and {count(num_more, 'more label')}")
    _print_counts("reasons for errors", summary.errors)


def _print_counts(heading: str, counts: Mapping[str, int]) -> None:
    if not counts:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(heading)
    table.add_column("images", justify="right")
    for name, number in counts.items():
        table.add_row(printable(name), f"{number:,}")
    console().print()
    console().print(table)


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
