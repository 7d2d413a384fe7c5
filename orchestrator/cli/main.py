"""The `labelyard` program: its commands, and how errors become messages and exit codes."""

import sys

import typer

from core.errors import LabelyardError, SetupError, UsageError
from core.exits import ExitCode
from orchestrator.cli import (
    catalogue,
    db,
    demo,
    evaluate,
    features,
    gc,
    jobs,
    label,
    labels,
    models,
    notifications,
    review,
    schedule,
    serve,
    setup,
    tokens,
    train,
    worker,
    workers,
)

app = typer.Typer(
    name="labelyard",
    help="Label images in bulk with pre-trained networks or with your own, on one machine or on many.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("label")(label.label)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("demo")(demo.demo)
app.command("export")(jobs.export)
app.command("backbones")(catalogue.backbones)
app.command("show")(catalogue.show)
app.command("up")(serve.up)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("workers")(workers.workers)
app.command("gc")(gc.gc)
app.command("doctor")(setup.doctor)
app.command("settings")(setup.settings)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(labels.app, name="labels")
app.add_typer(review.app, name="review")
app.add_typer(schedule.app, name="schedule")
app.add_typer(notifications.app, name="notifications")
app.add_typer(tokens.app, name="tokens")
app.add_typer(features.app, name="features")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run a command; every error that was raised on purpose ends as one sentence and its exit code."""
    try:
        app()
    except UsageError as error:
        _complain(error)
        sys.exit(ExitCode.USAGE)
    except SetupError as error:
        _complain(error)
        sys.exit(ExitCode.SETUP)
    except LabelyardError as error:
        _complain(error)
        sys.exit(ExitCode.FAILED)


def _complain(error: LabelyardError) -> None:
    from rich.console import Console
    from rich.text import Text

    from orchestrator.cli.printing import printable

    sentence = Text.assemble(("Error: ", "bold red"), printable(str(error)))
    Console(stderr=True).print(sentence, soft_wrap=True)
