"""`labelyard features`: what the kept features take, and letting go of some."""

from typing import Annotated, Optional

import typer

app = typer.Typer(help="Show what the kept features take; prune them.", invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.callback()
def list_features(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show what the kept features take, by network. With them an image that was seen before is not computed again."""
    if context.invoked_subcommand is not None:
        return
    from rich.filesize import decimal
    from rich.table import Table

    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import console, print_json, print_line
    from orchestrator.features import list_features as stored
    from orchestrator.times import when

    with open_context() as opened:
        found = stored(opened.database)
    if as_json:
        print_json([summary.to_json() for summary in found])
        return
    if not found:
        print_line("No features are kept yet. `labelyard label` and `labelyard train` keep them.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("network")
    table.add_column("preprocessing")
    for heading in ("vectors", "size"):
        table.add_column(heading, justify="right")
    table.add_column("last stored")
    for summary in found:
        newest = "" if summary.newest_at is None else when(summary.newest_at)
        size = decimal(summary.num_bytes)
        table.add_row(summary.network, summary.preprocessing, f"{summary.num_vectors:,}", size, newest)
    console().print(table)


@app.command()
def prune(
    *,
    network: Annotated[
        Optional[str], typer.Option(help="Of this network alone, as `labelyard features` names it.", metavar="NAME")
    ] = None,
    days: Annotated[
        Optional[float], typer.Option(min=0, help="Only those that were stored more than so many days ago.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Delete kept features. Nothing else is lost: they are computed again when they are wanted."""
    from core.errors import UsageError
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import count, print_line
    from orchestrator.features import prune as prune_stored

    if every == (network is not None or days is not None):
        raise UsageError("Which features? Expected --network NAME, --days N, both, or --all by itself.")
    with open_context() as opened:
        number = prune_stored(opened.database, network=network, days=days)
        print_line(f"Deleted {count(number, 'feature vector')}.")
        if opened.database.is_sqlite and number:
            print_line("The database file keeps its size; what is stored next takes the space.")
