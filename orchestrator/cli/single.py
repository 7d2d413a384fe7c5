"""How the answers of small jobs are printed, image by image."""

from rich.table import Table

from db.database import Database
from orchestrator.cli.printing import console, print_line, printable
from orchestrator.exporting import rows


def print_single_image(database: Database, job_id: int) -> None:
    """Print the only image of a job and the best classes that each model sees, or why that cannot be said."""
    with database.read() as session:
        answers = list(rows(session, job_id))
    print_line(answers[0].image)
    if answers[0].error is not None:
        print_line(f"  {answers[0].error}")
        return
    for row in answers:
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right")
        if len(answers) > 1:
            print_line(f" {row.model}")
        for choice in row.topk:
            table.add_row(f"  {choice['score']:7.2%}", printable(choice["label"]), choice["label_id"])
        console().print(table)


def print_best_labels(database: Database, job_id: int) -> None:
    """Print a table of a small job's images, each with its best label by each model."""
    console().print()
    with database.read() as session:
        answers = list(rows(session, job_id))
    has_several_models = len({row.model for row in answers}) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("image", *(("model",) if has_several_models else ()), "label", "label_id"):
        table.add_column(heading)
    table.add_column("score", justify="right")
    for row in answers:
        names = [printable(row.image.rpartition("/")[2])] + ([printable(row.model)] if has_several_models else [])
        if row.error is None:
            table.add_row(*names, printable(row.label or ""), row.label_id, f"{row.score:.1%}")
        else:
            table.add_row(*names, printable(row.error))
    console().print(table)
