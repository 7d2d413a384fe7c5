"""`labelyard gc`: letting go of what nobody needs any more."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from orchestrator.cli.quantities import parse_age, parse_size

if TYPE_CHECKING:
    from orchestrator.cleaning import Leftover


def gc(
    *,
    older_than: Annotated[str, typer.Option(help="How old things have to be: 12h, 30d, 8w.", metavar="AGE")] = "30d",
    max_size: Annotated[
        Optional[str],
        typer.Option(help="What kept features may take: 500MB, 20GB; the least recently used go.", metavar="SIZE"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking; for scripts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable output; deletes with --yes.")] = False,
) -> None:
    """Delete ended jobs with their rows, unused versions of models, checkpoints and features, by age and size.

    Says what would go, and asks. Never a champion, the version that a rollback would return to, a name's newest
    version, nor anything that an unfinished job needs.
    """
    from orchestrator.cleaning import Place, Rules, clean, look
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json, print_line

    rules = Rules(
        parse_age(older_than, "--older-than"), None if max_size is None else parse_size(max_size, "--max-size")
    )
    with open_context() as opened:
        place = Place(opened.database, opened.settings, rules)
        if as_json:
            found = clean(place) if yes and not dry_run else look(place)
            print_json({"is_deleted": yes and not dry_run, "leftovers": [one.to_json() for one in found]})
            return
        found = look(place)
        if not found:
            print_line(f"Nothing to delete is older than {older_than}.")
            return
        _print(found, "would go")
        if dry_run or not (yes or _confirms()):
            print_line("Nothing was deleted." if dry_run or sys.stdin.isatty() else "Nothing was deleted; --yes does.")
            return
        _print(clean(place), "deleted")


def _confirms() -> bool:
    return sys.stdin.isatty() and typer.confirm("Delete it?")


def _print(found: "Sequence[Leftover]", heading: str) -> None:
    from rich.filesize import decimal
    from rich.table import Table

    from orchestrator.cli.printing import console, printable

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(heading)
    for name in ("number", "size"):
        table.add_column(name, justify="right")
    table.add_column("what", overflow="fold")
    for one in found:
        size = "" if one.num_bytes is None else decimal(one.num_bytes)
        table.add_row(one.kind, f"{one.number:,}", size, printable(one.what))
    console().print(table)
