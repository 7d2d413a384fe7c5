"""What README.md says is what the code does."""

import re
from pathlib import Path

from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.settings_report import settings_table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_one_that_the_code_prints():
    (table,) = re.findall(r"<!-- settings: .*? -->\n(.*?)<!-- /settings -->", README, re.DOTALL)
    assert table == settings_table(), "replace it with what `labelyard settings --markdown` prints"


def test_no_placeholder_was_left():
    assert not re.findall(r"^[A-Z_]{6,}$", README, re.MULTILINE)


def test_every_command_in_the_readme_exists():
    commands = set(re.findall(r"^(?:\.venv/bin/)?labelyard ((?:jobs |db )?[a-z]+(?:-[a-z]+)*)", README, re.MULTILINE))
    assert len(commands) > 5
    for command in commands:
        result = CliRunner().invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0, f"labelyard {command}: {result.output}"
