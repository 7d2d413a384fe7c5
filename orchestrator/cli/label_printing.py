"""Labels by people as a table on standard output."""

from collections.abc import Sequence

from rich.table import Table

from orchestrator.cli.printing import MIN_TEXT_WIDTH, console, print_line, printable
from orchestrator.labels.listing import ListedLabel
from orchestrator.times import when


def print_labels(labels: Sequence[ListedLabel]) -> None:
    """Print a table of labels; those that a newer one has overtaken are dim."""
    if not labels:
        print_line("No such labels. `labelyard labels add IMAGE LABEL` makes one.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("image", overflow="fold", min_width=MIN_TEXT_WIDTH)
    for heading in ("label", "by", "when"):
        table.add_column(heading, overflow="fold", min_width=MIN_TEXT_WIDTH)
    table.add_column("saw")
    table.add_column("for")
    for label in labels:
        table.add_row(
            printable(label.image),
            printable(label.label),
            printable(label.annotator),
            when(label.created_at),
            label.shown or "",
            label.split or "",
            style=None if label.counts else "dim",
        )
    console().print(table)
