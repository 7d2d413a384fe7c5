"""Images to look at as tables on standard output."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from orchestrator.cli.printing import MIN_TEXT_WIDTH, console, count, print_line, printable
from orchestrator.review.handing_out import HandedOut
from orchestrator.times import when


def print_handed_out(images: Sequence[HandedOut], model: str, out: Path | None) -> None:
    """Print what was handed out, and what to do with it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("image", overflow="fold", min_width=MIN_TEXT_WIDTH)
    table.add_column("the model says", overflow="fold", min_width=MIN_TEXT_WIDTH)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("or", overflow="fold", min_width=MIN_TEXT_WIDTH)
    for image in images:
        table.add_row(
            printable(image.image), printable(image.label), f"{image.score:.1%}", printable(image.second or "")
        )
    console().print(table)
    if out is None:
        print_line(
            f"{count(len(images), 'image')}. Say what one shows: labelyard labels add IMAGE LABEL --model {model}"
        )
    else:
        print_line(f"Wrote {out}. Correct its column `label`, then: labelyard labels import {out} --model {model}")


def print_open(rows: Sequence[tuple[str, str, int, float]]) -> None:
    """Print images that wait for a label."""
    if not rows:
        print_line("Nothing waits for a label.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("image", overflow="fold", min_width=MIN_TEXT_WIDTH)
    for heading in ("shown by", "job", "when"):
        table.add_column(heading, no_wrap=True)
    for image, model, job_id, shown_at in rows:
        table.add_row(printable(image), model, str(job_id), when(shown_at))
    console().print(table)
