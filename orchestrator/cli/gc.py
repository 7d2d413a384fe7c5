"""`labelyard gc`: letting go of what nobody needs any more."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from orchestrator.cleaning import Leftover

_AGES_S = {"h": 3600, "d": 86400, "w": 7 * 86400}
_SIZES = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


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

    rules = Rules(_parse(older_than, _AGES_S, "--older-than"), _parse_size(max_size))
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


def _parse_size(text: str | None) -> int | None:
    return None if text is None else int(_parse(text, _SIZES, "--max-size"))


def _parse(text: str, units: dict[str, int], option: str) -> float:
    from core.errors import UsageError

    match = re.fullmatch(rf"(\d+(?:\.\d+)?)({'|'.join(units)})", text)
    if match is None:
        example = ", ".join(f"30{unit}" for unit in units)
        raise UsageError(f"{option}: received {text!r}. Expected a number with its unit: {example}.")
    return float(match[1]) * units[match[2]]
