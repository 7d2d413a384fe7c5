"""`labelyard models …`: look at trained models, take a version into use, carry one elsewhere."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="List models of your own; show, compare, promote, export one.", invoke_without_command=True)

Model = Annotated[str, typer.Argument(help="NAME for the champion, NAME@VERSION for a version.", metavar="MODEL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


@app.callback()
def list_models(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List models of your own."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli.context import open_context
    from orchestrator.cli.model_printing import print_models
    from orchestrator.cli.printing import print_json
    from orchestrator.models import summarise_models

    with open_context() as opened, opened.database.read() as session:
        summaries = summarise_models(session)
    if as_json:
        print_json([summary.to_json() for summary in summaries])
    else:
        print_models(summaries)


@app.command()
def show(model: Model, *, as_json: AsJson = False) -> None:
    """Show one model: how it was trained, how good it is."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.model_printing import print_model
    from orchestrator.cli.printing import print_json
    from orchestrator.models import summarise_model
    from orchestrator.naming import find_trained

    with open_context() as opened, opened.database.read() as session:
        summary = summarise_model(session, find_trained(session, model))
    if as_json:
        print_json(summary.to_json())
    else:
        print_model(summary)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.", metavar="MODEL")],
    second: Annotated[str, typer.Argument(help="What to compare it with.", metavar="MODEL")],
    *,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the images that neither has learned from."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.model_printing import print_comparison
    from orchestrator.cli.printing import print_json
    from orchestrator.comparing import compare_models

    with open_context() as opened, opened.database.read() as session:
        comparison = compare_models(session, first, second)
    if as_json:
        print_json(comparison.to_json())
    else:
        print_comparison(comparison)


@app.command()
def promote(model: Annotated[str, typer.Argument(help="NAME@VERSION.", metavar="MODEL@VERSION")]) -> None:
    """Take a version into use: from now on its bare name means it."""
    from core.errors import UsageError
    from db.promotions import promote as take_into_use
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.naming import find_trained

    if "@" not in model:
        raise UsageError(f"Which version of {model!r} is to be promoted? Expected {model}@VERSION.")
    with open_context() as opened, opened.database.write() as session:
        found = find_trained(session, model)
        changed = take_into_use(session, found)
        label, name = found.label, found.name
    print_line(f"{label} is the champion of {name!r}{'' if changed else ' already'}.")


@app.command()
def rollback(name: Annotated[str, typer.Argument(help="The model's name, without a version.")]) -> None:
    """Take the champion before the present one into use again."""
    from db.promotions import champion_of, roll_back
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.naming import find_trained

    with open_context() as opened, opened.database.write() as session:
        find_trained(session, name)
        before = champion_of(session, name)
        now = roll_back(session, name)
        labels = now.label, before.label if before else "none"
    print_line(f"{labels[0]} is the champion of {name!r} again; it was {labels[1]}.")


@app.command()
def export(
    model: Model,
    *,
    format_name: Annotated[
        str, typer.Option("--format", help="keras, onnx or safetensors.", metavar="keras|onnx|safetensors")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.", metavar="FILE")],
) -> None:
    """Write a model to a file: for Keras, for ONNX Runtime, or for another Labelyard."""
    from orchestrator.carrying import export_model
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened:
        label = export_model(opened.database, model, format_name=format_name, path=out)
    print_line(f"Wrote {label} to {out}")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="What `models export --format safetensors` wrote.", metavar="FILE")],
    *,
    name: Annotated[Optional[str], typer.Option(help="What to call it here; its own name if not given.")] = None,
) -> None:
    """Bring a model from another Labelyard; it becomes the next version of its name."""
    from orchestrator.carrying import import_model
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line

    with open_context() as opened:
        label, is_champion = import_model(opened.database, file, name=name)
    use = "is in use" if is_champion else f"can be taken into use: labelyard models promote {label}"
    print_line(f"Imported {file} as {label}; it {use}.")


@app.command()
def report(
    model: Model,
    *,
    out: Annotated[Path, typer.Option(help="The .html file to write.", metavar="FILE.html")],
) -> None:
    """Write a page about a model: curves, confusion, calibration, its worst mistakes."""
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.reporting import write_report

    with open_context() as opened:
        label = write_report(opened.database, opened.settings, model, out)
    print_line(f"Wrote a report of {label} to {out}")
