"""`labelyard db …`: the database's tables."""

from typing import Annotated, Optional

import typer

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look after the database."""


@app.command()
def upgrade() -> None:
    """Make the tables, or bring them to this version. Make a backup first."""
    from db.database import Database
    from db.schema import SchemaState, schema_state
    from db.schema import upgrade as bring_up_to_date
    from orchestrator.cli.context import read_settings
    from orchestrator.cli.printing import print_line

    database = Database.of(read_settings())
    try:
        before, revision = schema_state(database)
        if before is SchemaState.CURRENT:
            print_line(f"{database.safe_url} is up to date (schema {revision}).")
            return
        bring_up_to_date(database)
        print_line(f"{database.safe_url}: schema {revision or 'none'} -> {schema_state(database)[1]}.")
    finally:
        database.close()


@app.command("grants")
def print_grants(
    *,
    worker: Annotated[Optional[str], typer.Option(help="A role for `labelyard worker`.", metavar="ROLE")] = None,
    orchestrator: Annotated[Optional[str], typer.Option(help="A role for all other commands.", metavar="ROLE")] = None,
) -> None:
    """Print the SQL that gives PostgreSQL roles what they need and no more; it changes nothing."""
    from core.errors import UsageError
    from db.grants import Part, grants

    wanted = {Part.WORKER: worker, Part.ORCHESTRATOR: orchestrator}
    if not any(wanted.values()):
        raise UsageError("Received no role. Expected --worker ROLE, --orchestrator ROLE, or both.")
    for part, role in wanted.items():
        if role:
            typer.echo("\n".join(grants(part, role)))
