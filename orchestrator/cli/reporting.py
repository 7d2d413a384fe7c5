"""What a user sees while a job runs: a progress bar on a terminal, plain lines in a pipe, nothing under --json.

Progress goes to standard error, results to standard output, so that a pipe gets results alone.
"""

import sys
import time
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from core.jobs import Progress
from core.types import JobState
from db.database import Database
from orchestrator.cli.printing import count, print_counts, print_json, print_line, printable
from orchestrator.cli.single import print_best_labels, print_single_image
from orchestrator.cli.speed import Speed
from orchestrator.summary import JobSummary, count_other_labels

# Jobs of up to so many images are summed up image by image, larger ones by label.
MAX_IMAGES_ONE_BY_ONE = 10
# How often a pipe gets a line.
PLAIN_INTERVAL_S = 10.0


class Reporter(Protocol):
    """Someone who tells the user how a job goes; a context manager around the run."""

    def __enter__(self) -> Self:
        """The run begins."""

    def __exit__(self, *error: object) -> None:
        """The run has ended."""

    def resumed(self, summary: JobSummary) -> None:
        """An unfinished job is gone on with."""

    def accepted(self, summary: JobSummary) -> None:
        """The job is accepted, and others will do it."""

    def update(self, progress: Progress) -> None:
        """The job is so far."""

    def waits(self, reason: str) -> None:
        """Nothing happens, for this reason."""

    def stopped(self, summary: JobSummary) -> None:
        """The user stopped it."""

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """The job has ended."""


def make_reporter(*, as_json: bool) -> Reporter:
    """The reporter that fits standard output and error."""
    if as_json:
        return JsonReporter()
    return TerminalReporter() if sys.stderr.isatty() else PlainReporter()


class PlainReporter:
    """A line now and then, for pipes and logs."""

    def __init__(self) -> None:
        self._speed = Speed()
        self._said_at_s = time.monotonic()
        self._said_reason: str | None = None

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to end."""

    def resumed(self, summary: JobSummary) -> None:
        """Say that an unfinished job is gone on with."""
        self._say(_resumed(summary))

    def accepted(self, summary: JobSummary) -> None:
        """Say that the job is accepted."""
        print_line(_accepted(summary))

    def update(self, progress: Progress) -> None:
        """Say how far it is, if it is time to."""
        num_seen = progress.num_finished + progress.num_in_progress
        self._speed.add(num_seen)
        if time.monotonic() - self._said_at_s >= PLAIN_INTERVAL_S:
            self._said_at_s = time.monotonic()
            if not num_seen:
                self._say("loading the model")
                return
            said = (
                f"{num_seen:,} of {progress.num_planned:,} images",
                self._speed.say(),
                count(progress.num_errors, "error"),
                self._speed.say_left(progress.num_planned - num_seen, is_planned=progress.is_planned),
            )
            self._say(", ".join(filter(None, said)))

    def waits(self, reason: str) -> None:
        """Say why, once."""
        if reason != self._said_reason:
            self._said_reason = reason
            self._say(f"Waiting: {reason}")

    def stopped(self, summary: JobSummary) -> None:
        """Say how to go on."""
        self._say(_stopped(summary))

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print how it ended."""
        _print_summary(database, summary, out, figure)

    def _say(self, line: str) -> None:
        sys.stderr.write(f"{printable(line)}\n")


class TerminalReporter(PlainReporter):
    """A progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[errors]}"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("starting", total=None, speed="", errors="", left="")

    def __enter__(self) -> Self:
        """Draw the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away; what stays is the summary."""
        self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        num_seen = progress.num_finished + progress.num_in_progress
        self._speed.add(num_seen)
        left = self._speed.say_left(progress.num_planned - num_seen, is_planned=progress.is_planned)
        self._bar.update(
            self._task,
            description="labelling" if num_seen else "loading the model",
            completed=num_seen,
            total=progress.num_planned if progress.is_planned else None,
            speed=self._speed.say() if num_seen else "",
            errors=f"[red]{count(progress.num_errors, 'error')}[/]" if progress.num_errors else "",
            left=left if num_seen else "",
        )


class JsonReporter(PlainReporter):
    """One JSON object at the end."""

    def resumed(self, summary: JobSummary) -> None:
        """Say nothing; the object at the end says it all."""

    def accepted(self, summary: JobSummary) -> None:
        """Print the job."""
        print_json(summary.to_json())

    def update(self, progress: Progress) -> None:
        """Say nothing."""

    def waits(self, reason: str) -> None:
        """Say nothing."""

    def stopped(self, summary: JobSummary) -> None:
        """Print the job."""
        print_json(summary.to_json())

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print the job, and the files that were written."""
        del database
        files = {"out": None if out is None else str(out), "figure": None if figure is None else str(figure)}
        print_json(summary.to_json() | files)


class QuietReporter(PlainReporter):
    """Nothing at all, for commands that run several jobs and sum them up themselves."""

    def accepted(self, summary: JobSummary) -> None:
        """Say nothing."""

    def update(self, progress: Progress) -> None:
        """Say nothing."""

    def waits(self, reason: str) -> None:
        """Say nothing."""

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Say nothing."""


def _print_summary(database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
    if summary.num_images == 1:
        print_single_image(database, summary.job_id)
    else:
        print_line(
            f"Job {summary.job_id} {summary.state}: {count(summary.num_images, 'image')}, "
            f"{summary.num_predictions:,} labelled, {count(summary.num_errors, 'error')}, "
            f"{summary.seconds:.1f} s, {summary.images_per_s:.1f} images/s"
        )
        if summary.num_images <= MAX_IMAGES_ONE_BY_ONE:
            print_best_labels(database, summary.job_id)
        else:
            print_counts(summary, database.query(lambda session: count_other_labels(session, summary.job_id)))
    if summary.num_skipped:
        print_line(f"{count(summary.num_skipped, 'other file')} passed over.")
    for path in (out, figure):
        if path is not None:
            print_line(f"Wrote {path}")
    if out is None and summary.num_images > 1:
        print_line(f"Results are in the database: labelyard export {summary.job_id} --out labels.csv")


def _resumed(summary: JobSummary) -> str:
    done = f"{summary.num_finished:,} of {count(summary.num_images, 'image')}"
    return f"Going on with job {summary.job_id}, which has rows for {done}."


def _accepted(summary: JobSummary) -> str:
    if summary.state is JobState.DONE:
        return f"Job {summary.job_id} is done: there is nothing left to do."
    wait = summary.waits_for or "Workers are on it."
    return (
        f"Job {summary.job_id} {'goes on' if summary.num_finished else 'is accepted'}: "
        f"{count(summary.num_images, 'image')}. {wait} "
        f"`labelyard jobs show {summary.job_id}` tells how far it is."
    )


def _stopped(summary: JobSummary) -> str:
    if summary.error is not None:
        return f"Job {summary.job_id} failed: {summary.error}"
    if summary.state is JobState.CANCELLED:
        return (
            f"Job {summary.job_id} was cancelled: {summary.num_finished:,} of {summary.num_images:,} images have "
            "their rows."
        )
    return (
        f"Stopped job {summary.job_id}: {summary.num_finished:,} of {summary.num_images:,} images have their rows. "
        f"The same command, or `labelyard jobs resume {summary.job_id}`, goes on."
    )
