"""`labelyard tokens …`: who may ask the HTTP API."""

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from core.types import Scope
from orchestrator.cli.quantities import parse_age

if TYPE_CHECKING:
    from orchestrator.tokens import TokenSummary

app = typer.Typer(help="Make, list and revoke tokens for the HTTP API.", invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.callback()
def list_all(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List tokens: whose each is, what it may be used for, when it was last used. No secret is kept."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json
    from orchestrator.tokens import summarise_tokens

    with open_context() as opened, opened.database.read() as session:
        found = summarise_tokens(session)
    if as_json:
        print_json([token.to_json() for token in found])
    else:
        _print(found)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is: a person, a program.", metavar="NAME")],
    *,
    scope: Annotated[
        Scope,
        typer.Option(
            help="read: look. submit: that, and ask for work. admin: that, and change what is in use, delete."
        ),
    ] = Scope.SUBMIT,
    expires: Annotated[
        Optional[str], typer.Option(help="How long it is good for: 12h, 30d, 8w; for ever if not said.", metavar="AGE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, once: it cannot be shown again."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json, print_line
    from orchestrator.tokens import make_token

    lasts_s = None if expires is None else parse_age(expires, "--expires")
    with open_context() as opened, opened.database.write() as session:
        token, token_id = make_token(session, name, scope, lasts_s=lasts_s)
    if as_json:
        print_json({"id": token_id, "token": token})
        return
    print_line(token)
    # Not where the token goes, so that a script can take that line for itself.
    typer.echo(f"It is shown this once. `labelyard tokens revoke {token_id}` takes it back.", err=True)


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(help="The token's id.", metavar="ID")]) -> None:
    """Take a token back, at once and for good."""
    from core.errors import UsageError
    from db.tokens import revoke as take_back
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened, opened.database.write() as session:
        if not take_back(session, token_id):
            raise UsageError(f"No valid token has the id {token_id!r}. `labelyard tokens` lists them.")
    print_line(f"Revoked {token_id}.")


def _print(found: "list[TokenSummary]") -> None:
    from rich.table import Table

    from orchestrator.cli.printing import console, print_line, printable
    from orchestrator.times import when

    if not found:
        print_line("There are no tokens yet. `labelyard tokens create NAME` makes one.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("id", "name", "may", "state", "made", "last used"):
        table.add_column(heading)
    for token in found:
        used = "never" if token.used_at is None else when(token.used_at)
        state = token.state if token.expires_at is None else f"{token.state} until {when(token.expires_at)}"
        table.add_row(token.id, printable(token.name), token.scope, state, when(token.created_at), used)
    console().print(table)
