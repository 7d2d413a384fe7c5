"""`labelyard doctor` and `labelyard settings`: is everything there, and what is set where."""

from typing import Annotated

import typer

from core.exits import ExitCode

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


def doctor(*, as_json: AsJson = False) -> None:
    """Check folders, database, broker, weights and devices; say how to mend each."""
    from dataclasses import asdict

    from orchestrator.checks import Verdict, check_setup
    from orchestrator.cli.context import read_settings
    from orchestrator.cli.printing import console, print_json, printable

    styles = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.WRONG: "bold red"}
    findings = []
    for finding in check_setup(read_settings()):
        findings.append(finding)
        if not as_json:
            line = printable(f"{finding.subject:<13} {finding.verdict:<6} {finding.detail}")
            line.stylize(styles[finding.verdict], 14, 20)
            console().print(line, soft_wrap=True)
            if finding.mend:
                console().print(printable(f"{'':<20} {finding.mend}"), soft_wrap=True)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(ExitCode.SETUP)


def settings(
    *,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print what each means, as a Markdown table.")] = False,
) -> None:
    """Print every setting and where it came from; secrets are masked."""
    from rich.table import Table

    from orchestrator.cli.context import read_settings
    from orchestrator.cli.printing import console, print_json, printable
    from orchestrator.settings_report import describe_settings, settings_table

    if markdown:
        typer.echo(settings_table(), nl=False)
        return
    described = describe_settings(read_settings())
    if as_json:
        print_json({item.name: {"value": item.value, "source": item.source} for item in described})
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for item in described:
        table.add_row(item.name, printable(item.value), item.source)
    console().print(table)
