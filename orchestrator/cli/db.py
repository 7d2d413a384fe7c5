"""`labelyard db …`: the database's tables."""

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
