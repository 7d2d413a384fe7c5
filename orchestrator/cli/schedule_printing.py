"""Schedules and their history as tables and sentences on standard output. Times are by the schedule's own clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from core.types import RunState
from orchestrator.cli.printing import MIN_TEXT_WIDTH, console, print_line, printable
from orchestrator.scheduling.history import ROLLED_BACK, HistoryEntry, ScheduleSummary

_STATE_STYLES = {
    RunState.PROMOTED: "bold green",
    RunState.REFUSED: "yellow",
    RunState.FAILED: "red",
    RunState.SKIPPED: "dim",
    RunState.MISSED: "dim",
    ROLLED_BACK: "magenta",
}


def print_schedules(summaries: Sequence[ScheduleSummary]) -> None:
    """Print a table of schedules."""
    if not summaries:
        print_line("No schedules yet. `labelyard schedule add` makes the first.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("schedule", "model", "cron", "next"):
        table.add_column(heading, no_wrap=True)
    table.add_column("last", overflow="fold", min_width=MIN_TEXT_WIDTH)
    for summary in summaries:
        table.add_row(
            summary.name, summary.model, f"{summary.cron} {summary.time_zone}", _next(summary), summary.last_state or ""
        )
    console().print(table)


def print_schedule(summary: ScheduleSummary) -> None:
    """Print one schedule in full."""
    grid = Table.grid(padding=(0, 2))
    for heading, value in (
        ("schedule", summary.name),
        ("model", summary.model),
        ("fires", f"{summary.cron} {summary.time_zone}"),
        ("next", _next(summary)),
        ("if", summary.condition or "always"),
        ("learns from", "labels" if summary.dataset is None else f"labels and {summary.dataset}"),
        ("promotes if", summary.promotion_rule),
        ("catches up", summary.catch_up),
        ("tunes", "yes" if summary.tunes else "no"),
        ("then labels again", f"job {summary.relabel_job_id}" if summary.relabel_job_id else "nothing"),
        (
            "last",
            f"{summary.last_state}, {when_by(summary.last_at, summary.time_zone)}" if summary.last_at else "never",
        ),
    ):
        grid.add_row(Text(heading, style="bold"), printable(value))
    console().print(grid)


def print_history(entries: Sequence[HistoryEntry], *, time_zone: str) -> None:
    """Print what became of each time, oldest first, a line for each and a sentence under it."""
    if not entries:
        print_line("It has not fired yet.")
    for entry in entries:
        print_entry(entry, time_zone=time_zone)


def print_entry(entry: HistoryEntry, *, time_zone: str) -> None:
    """Print one decision: when, what, which versions with their scores, and why."""
    out = console()
    versions = " against ".join(version for version in (entry.challenger, entry.champion) if version)
    head = Text.assemble(
        f"{when_by(entry.at, time_zone)}  ",
        (f"{entry.outcome:<11}", _STATE_STYLES.get(entry.outcome, "cyan")),
        "" if entry.verdict is None else versions,
    )
    out.print(head, soft_wrap=True)
    if entry.verdict is not None:
        out.print(f"  {_scores(entry.verdict)}", soft_wrap=True)
    if entry.relabel_job_id is not None:
        out.print(f"  job {entry.relabel_job_id} labels again with {entry.challenger}", soft_wrap=True)
    if entry.reason:
        out.print(Text.assemble("  ", printable(entry.reason)), style="dim", soft_wrap=True)


def when_by(time_s: float, time_zone: str) -> str:
    """Seconds since 1970 as date, time and offset by a named clock."""
    return datetime.fromtimestamp(time_s, tz=ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M %z")


def _scores(verdict: Mapping[str, Any]) -> str:
    parts = []
    for word, name in (("accuracy", "accuracy"), ("macro_f1", "macro F1")):
        pair = verdict["paired"][word]
        parts.append(
            f"{name} {pair['challenger']:.3f} against {pair['champion']:.3f} "
            f"({pair['difference']:+.3f}, 95%: {pair['lower']:+.3f} to {pair['upper']:+.3f})"
        )
    return f"{', '.join(parts)} on {verdict['paired']['num_images']:,} images"


def _next(summary: ScheduleSummary) -> str:
    return "disabled" if summary.next_at is None else when_by(summary.next_at, summary.time_zone)
