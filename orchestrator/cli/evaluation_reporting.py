"""What a user sees while a model is measured, and what comes out: the same progress as for labelling."""

from pathlib import Path
from typing import Any

from rich.table import Table

from db.database import Database
from orchestrator.cli.printing import console, count, print_json, print_line, printable
from orchestrator.cli.reporting import JsonReporter, PlainReporter, Reporter, TerminalReporter, make_reporter
from orchestrator.evaluating import evaluation_of
from orchestrator.summary import JobSummary
from workers.ml.evaluation import Evaluation

# Of a network's thousand classes, as many as a screen shows.
MAX_CLASSES = 30


def make_evaluation_reporter(*, as_json: bool) -> Reporter:
    """The reporter that fits standard output and error."""
    match make_reporter(as_json=as_json):
        case JsonReporter():
            return _JsonEvaluationReporter()
        case TerminalReporter():
            return _TerminalEvaluationReporter()
        case _:
            return _PlainEvaluationReporter()


class _PrintsEvaluation:
    """Prints measurements where labelling prints labels."""

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print how good the model is."""
        del figure
        with database.read() as session:
            print_evaluation(summary, evaluation_of(session, summary.job_id))
        if out is not None:
            print_line(f"Wrote {out}")


class _PlainEvaluationReporter(_PrintsEvaluation, PlainReporter):
    """A line now and then."""


class _TerminalEvaluationReporter(_PrintsEvaluation, TerminalReporter):
    """A progress bar."""


class _JsonEvaluationReporter(JsonReporter):
    """One JSON object at the end."""

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print the job and its measurements."""
        del figure
        with database.read() as session:
            found: dict[str, Any] = evaluation_of(session, summary.job_id).to_json()
        print_json(summary.to_json() | {"evaluation": found, "out": None if out is None else str(out)})


def print_evaluation(summary: JobSummary, found: Evaluation) -> None:
    """Print how good a model is on some images."""
    print_line(
        f"{summary.models[0]} on {summary.name}: {found.accuracy:.1%} of {count(found.num_images, 'image')} right, "
        f"macro F1 {found.macro.f1:.3f}, calibration error {found.ece:.3f}"
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("class")
    for heading in ("images", "precision", "recall", "F1"):
        table.add_column(heading, justify="right")
    measured = [figures for figures in found.classes if figures.support]
    for figures in measured[:MAX_CLASSES]:
        shares = (figures.precision, figures.recall, figures.f1)
        table.add_row(printable(figures.label), f"{figures.support:,}", *(f"{share:.3f}" for share in shares))
    console().print(table)
    if len(measured) > MAX_CLASSES:
        print_line(f"… and {count(len(measured) - MAX_CLASSES, 'more class')}; --json has them all.")
    if summary.num_errors:
        print_line(
            f"{count(summary.num_errors, 'image')} could not be read and {'is' if summary.num_errors == 1 else 'are'} "
            "not in these figures."
        )
