"""Running a job in the foreground: accept or resume it, show its progress, write what was asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.exits import ExitCode
from core.settings import Settings
from core.types import JobKind, JobState
from db.database import Database
from db.ledger import control
from orchestrator.cli.context import Context
from orchestrator.cli.evaluation_reporting import make_evaluation_reporter
from orchestrator.cli.reporting import Reporter, make_reporter
from orchestrator.cli.training_reporting import make_training_reporter
from orchestrator.evaluating import conclude_evaluation
from orchestrator.exporting import check_writable, export
from orchestrator.planning import plan_or_fail
from orchestrator.submitting import Submitted
from orchestrator.summary import JobSummary, summarise
from orchestrator.tracing import orchestrator_tracer
from orchestrator.watching import make_waker, run_to_end
from workers.access import Access
from workers.waking import Waker, wake

# Checks a request and accepts it, or finds the unfinished job that made the same one.
Accept = Callable[[Database, Settings], Submitted]
# Makes a job that is in the ledger run again.
Start = Callable[[Session, int], None]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a job's results go."""

    out: Path | None = None
    figure: Path | None = None
    as_json: bool = False

    def check(self) -> None:
        """Find out now whether they can be written.

        Raises:
            UsageError: one of them cannot.
        """
        from orchestrator.figures import check_figure

        if self.out is not None:
            check_writable(self.out)
        if self.figure is not None:
            check_figure(self.figure)


def run(context: Context, accept: Accept, outputs: Outputs) -> JobSummary:
    """Accept a request, or resume its unfinished job, and bring it to its end."""
    waker = make_waker(context.settings, context.database)
    submitted = accept(context.database, context.settings)
    reporter = reporter_for(context, submitted.job_id, outputs)
    if submitted.is_resumed:
        with context.database.read() as session:
            reporter.resumed(summarise(session, submitted.job_id, with_counts=False))
    return finish(context, submitted.job_id, outputs, waker, reporter=reporter)


def reporter_for(context: Context, job_id: int, outputs: Outputs) -> Reporter:
    """Whoever tells the user how a job of this kind goes."""
    with context.database.read() as session:
        kind = control.get_job(session, job_id).kind
    match kind:
        case JobKind.TRAIN | JobKind.RETRAIN:
            return make_training_reporter(context.database, job_id, as_json=outputs.as_json)
        case JobKind.EVALUATE:
            return make_evaluation_reporter(as_json=outputs.as_json)
        case JobKind.LABEL:
            return make_reporter(as_json=outputs.as_json)


def finish(
    context: Context, job_id: int, outputs: Outputs, waker: Waker | None = None, *, reporter: Reporter | None = None
) -> JobSummary:
    """Bring a job that is in the ledger to its end, then write and print its results."""
    waker = waker or make_waker(context.settings, context.database)
    reporter = reporter or reporter_for(context, job_id, outputs)
    with pausing_on_ctrl_c(context, job_id), reporter:
        run_to_end(context.database, context.settings, job_id, waker, reporter)
    summary = context.database.query(lambda session: summarise(session, job_id))
    if summary.state is not JobState.DONE:
        reporter.stopped(summary)
        return summary
    if summary.kind is JobKind.EVALUATE:
        conclude_evaluation(context.database, job_id)
    if outputs.out is not None:
        export(context.database, job_id, outputs.out)
    if outputs.figure is not None:
        from orchestrator.figures import draw_contact_sheet

        draw_contact_sheet(context.database, context.settings, job_id, outputs.figure)
    reporter.summary(context.database, summary, outputs.out, outputs.figure)
    return summary


def accept_only(context: Context, accept: Accept, outputs: Outputs) -> JobSummary:
    """Accept and plan a request; workers that run elsewhere do the rest."""
    waker = make_waker(context.settings, context.database)
    return _leave_to_workers(context, accept(context.database, context.settings).job_id, outputs, waker)


def finish_again(
    context: Context, job_ids: Sequence[int], outputs: Outputs, start: Start, *, no_wait: bool, strict: bool
) -> NoReturn:
    """Have jobs that are in the ledger gone on with: one of them here, or any number by workers that run elsewhere.

    Raises:
        UsageError: several jobs, or a file, with nobody to wait for their end.
    """
    if len(job_ids) > 1 and (outputs.as_json or not no_wait):
        raise UsageError(f"Received {len(job_ids)} jobs. Expected one, or --no-wait without --json.")
    if no_wait and outputs.out is not None:
        raise UsageError("--out needs the job's end, which --no-wait does not wait for. `labelyard export` writes it.")
    waker = make_waker(context.settings, context.database)
    with context.database.write() as session:
        for job_id in job_ids:
            start(session, job_id)
    follow = _leave_to_workers if no_wait else finish
    summaries = [follow(context, job_id, outputs, waker) for job_id in job_ids]
    exit_with(summaries[-1], strict=strict)


def _leave_to_workers(context: Context, job_id: int, outputs: Outputs, waker: Waker) -> JobSummary:
    reporter = reporter_for(context, job_id, outputs)
    with pausing_on_ctrl_c(context, job_id):
        plan_or_fail(
            context.database,
            job_id,
            Access.of(context.settings),
            after_commit=lambda: wake(waker),
            tracer=orchestrator_tracer(context.settings),
        )
        wake(waker)
    with context.database.read() as session:
        summary = summarise(session, job_id)
    if summary.state in (JobState.RUNNING, JobState.DONE):
        reporter.accepted(summary)
    else:
        reporter.stopped(summary)
    return summary


@contextmanager
def pausing_on_ctrl_c(context: Context, job_id: int) -> Iterator[None]:
    """Turn Ctrl-C into a pause of the job, unless it has ended in the same moment."""
    try:
        yield
    except KeyboardInterrupt:
        with context.database.write() as session:
            control.pause(session, job_id)


def exit_with(summary: JobSummary, *, strict: bool = False) -> NoReturn:
    """End the program with the code that says how a job stands."""
    match summary.state:
        case JobState.FAILED | JobState.CANCELLED:
            raise typer.Exit(ExitCode.FAILED)
        case JobState.PAUSED:
            raise typer.Exit(ExitCode.INTERRUPTED)
        case _:
            raise typer.Exit(ExitCode.IMAGE_ERRORS if strict and summary.num_errors else ExitCode.DONE)
