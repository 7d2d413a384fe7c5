"""How one image's answer is printed: its best classes with percentages."""

from rich.table import Table

from db.database import Database
from orchestrator.cli.printing import console, print_line, printable
from orchestrator.exporting import rows


def print_single_image(database: Database, job_id: int) -> None:
    """Print the only image of a job and what it shows, or why that cannot be said."""
    with database.read() as session:
        (row,) = rows(session, job_id)
    print_line(row.image)
    if row.error is not None:
        print_line(f"  {row.error}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for choice in row.topk:
        table.add_row(f"  {choice['score']:7.2%}", printable(choice["label"]), choice["label_id"])
    console().print(table)


def print_best_labels(database: Database, job_id: int) -> None:
    """Print a table of a small job's images, each with its best label."""
    console().print()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("image", "label", "label_id"):
        table.add_column(heading)
    table.add_column("score", justify="right")
    with database.read() as session:
        for row in rows(session, job_id):
            name = printable(row.image.rpartition("/")[2])
            if row.error is None:
                table.add_row(name, printable(row.label or ""), row.label_id, f"{row.score:.1%}")
            else:
                table.add_row(name, printable(row.error))
    console().print(table)
