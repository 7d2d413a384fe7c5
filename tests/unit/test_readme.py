"""What README.md and docs/ say is what the code does; `test_documents` looks at the commands."""

import re
from collections.abc import Iterator
from pathlib import Path

from typer import Typer

from core.types import Reason
from orchestrator.cli.main import app
from orchestrator.settings_report import settings_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}


def all_commands(group: Typer, name: str) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{name} {command.name or command.callback.__name__.replace('_', '-')}"
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from all_commands(below.typer_instance, f"{name} {below.name}")


def test_the_settings_table_is_the_one_that_the_code_prints():
    (table,) = re.findall(r"<!-- settings: .*? -->\n(.*?)<!-- /settings -->", README, re.DOTALL)
    assert table == settings_table(), "replace it with what `labelyard settings --markdown` prints"


def test_no_placeholder_was_left():
    assert not re.findall(r"^[A-Z_]{6,}$", README, re.MULTILINE)


def test_every_command_is_in_the_readme_or_the_documents():
    said = "\n".join([README, *DOCUMENTS.values()])
    commands = list(all_commands(app, "labelyard"))
    assert len(commands) > 25
    assert [command for command in commands if not re.search(rf"{command}\b", said)] == []


def test_every_reason_for_an_error_is_explained():
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENTS["errors.md"], re.MULTILINE) == list(Reason)
