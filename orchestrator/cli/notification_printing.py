"""Notifications as a table on standard output."""

from collections.abc import Sequence

from rich.table import Table

from db.schedule_tables import NotificationTable
from orchestrator.cli.printing import MIN_TEXT_WIDTH, console, print_line, printable
from orchestrator.notifying.listing import state_of
from orchestrator.notifying.sentences import subject_of
from orchestrator.times import when


def print_notifications(rows: Sequence[NotificationTable]) -> None:
    """Print what was told, newest first."""
    if not rows:
        print_line("Nobody was told of anything yet. docs/how-to/notifications.md says how to set it up.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("when", "by", "state", "tries"):
        table.add_column(heading, no_wrap=True)
    for heading in ("what", "problem"):
        table.add_column(heading, overflow="fold", min_width=MIN_TEXT_WIDTH)
    for row in rows:
        table.add_row(
            when(row.created_at),
            row.channel,
            state_of(row),
            str(row.attempts),
            printable(subject_of(row.event, row.payload)),
            printable(row.problem or ""),
        )
    console().print(table)
