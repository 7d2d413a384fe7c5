"""The parts of pages that are made from the code: `<!-- generated: NAME -->` in a page stands for one of them.

Each is Markdown, without a heading of the first or second level unless it is most of its page.
"""

import inspect
import re
from pathlib import Path

import typer
from described_api import api_reference
from described_client import client_reference
from described_tables import tables_reference
from typer.cli import get_docs_for_click

import core.errors
import core.exits
from orchestrator.cli.main import app
from orchestrator.settings_report import settings_table


def cli_reference() -> str:
    """Every command with its arguments and options."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="labelyard"), name="labelyard")
    # The page has a heading, and a command line is no shell session.
    _, _, below = text.partition("\n## ")
    return f"## {below}".replace("```console\n$ ", "```\n")


def error_tree() -> str:
    """The errors that commands end with, as the code draws them."""
    (tree,) = re.findall(r"\n\n(    .*?)\n\n", inspect.getdoc(core.errors) or "", re.DOTALL)
    return f"```\n{inspect.cleandoc(tree)}\n```"


def exit_codes() -> str:
    """What each exit status means; the code says so in a comment beside it."""
    source = Path(core.exits.__file__).read_text(encoding="utf-8")
    comments = dict(re.findall(r"^    (\w+) = \d+(?:  # (.*))?$", source, re.MULTILINE))
    rows = [f"| {code.value} | {comments[code.name] or code.name.lower()} |" for code in core.exits.ExitCode]
    return "\n".join(["| exit code | meaning |", "| --- | --- |", *rows])


PARTS = {
    "api": api_reference,
    "client": client_reference,
    "cli": cli_reference,
    "error-tree": error_tree,
    "exit-codes": exit_codes,
    "settings": settings_table,
    "tables": tables_reference,
}
