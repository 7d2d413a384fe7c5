"""What a user sees while a model is trained, and when it is: the same three ways as for labelling."""

import sys
import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as RichProgress
from sqlalchemy.orm import Session

from core.jobs import Progress
from core.training import EpochMetrics, TrainOptions
from core.types import JobState, Split
from db.database import Database
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.trainings import epochs_of
from orchestrator.cli.model_printing import print_trained
from orchestrator.cli.printing import count, print_json, print_line
from orchestrator.cli.reporting import PLAIN_INTERVAL_S, JsonReporter, PlainReporter, Reporter
from orchestrator.models import ModelSummary, summarise_model
from orchestrator.summary import JobSummary


def make_training_reporter(database: Database, job_id: int, *, as_json: bool) -> Reporter:
    """The reporter that fits standard output and error."""
    if as_json:
        return JsonTrainingReporter(database, job_id)
    return (TerminalTrainingReporter if sys.stderr.isatty() else PlainTrainingReporter)(database, job_id)


class PlainTrainingReporter(PlainReporter):
    """A line now and then, for pipes and logs.

    Args:
        database: where epochs are as they end.
        job_id: the training.
    """

    def __init__(self, database: Database, job_id: int) -> None:
        super().__init__()
        self._database = database
        self._job_id = job_id
        with database.read() as session:
            self._num_epochs = TrainOptions.from_json(get_job(session, job_id).options).num_epochs

    def accepted(self, summary: JobSummary) -> None:
        """Say that the training is accepted."""
        print_line(
            f"Job {summary.job_id} accepted: it trains {summary.models[0]} on {count(summary.num_images, 'image')}. "
            f"{summary.waits_for or 'Workers are on it.'} `labelyard jobs show {summary.job_id}` tells how far it is."
        )

    def resumed(self, summary: JobSummary) -> None:
        """Say that an unfinished training is gone on with."""
        self._say(f"Going on with job {summary.job_id}, which trains {summary.models[0]}.")

    def update(self, progress: Progress) -> None:
        """Say how far it is, if it is time to."""
        if time.monotonic() - self._said_at_s >= PLAIN_INTERVAL_S:
            self._said_at_s = time.monotonic()
            self._say(self._describe(progress))

    def stopped(self, summary: JobSummary) -> None:
        """Say how to go on."""
        if summary.error is not None:
            self._say(f"Job {summary.job_id} failed, and {summary.models[0]} was not trained: {summary.error}")
            return
        if summary.state is JobState.CANCELLED:
            self._say(f"The training of {summary.models[0]} was cancelled; the model stays unfinished.")
            return
        self._say(
            f"Stopped the training of {summary.models[0]}; its last checkpoint is kept. The same command, or "
            f"`labelyard jobs resume {summary.job_id}`, goes on."
        )

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print what was trained, and how good it is."""
        del database, figure
        print_trained(self._model(), summary)
        if out is not None:
            print_line(f"Wrote {out}")

    def _describe(self, progress: Progress) -> str:
        last = self._last_epoch()
        if last:
            return describe_epoch(last, self._num_epochs)
        if progress.num_in_progress:
            return f"{progress.num_in_progress:,} of {count(progress.num_planned, 'image')} read"
        return "loading the model"

    def _last_epoch(self) -> list[EpochMetrics]:
        def read(session: Session) -> list[EpochMetrics]:
            (model,) = models_of(session, self._job_id)
            return epochs_of(session, model.id)

        epochs = self._database.query(read)
        return [metrics for metrics in epochs if metrics.number == epochs[-1].number]

    def _model(self) -> ModelSummary:
        with self._database.read() as session:
            (model,) = models_of(session, self._job_id)
            return summarise_model(session, model)


class TerminalTrainingReporter(PlainTrainingReporter):
    """A line that changes, with a bar for the images and then for the epochs."""

    def __init__(self, database: Database, job_id: int) -> None:
        super().__init__(database, job_id)
        self._bar = RichProgress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        """Draw the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away; what stays is the summary."""
        self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        last = self._last_epoch()
        done, total = (last[0].number, self._num_epochs) if last else (progress.num_in_progress, progress.num_planned)
        self._bar.update(
            self._task, description=self._describe(progress), completed=done, total=max(done, total) if done else None
        )


class JsonTrainingReporter(PlainTrainingReporter):
    """One JSON object at the end."""

    # What differs from labelling is the object alone.
    resumed = JsonReporter.resumed
    update = JsonReporter.update
    waits = JsonReporter.waits

    def accepted(self, summary: JobSummary) -> None:
        """Print the job."""
        print_json(summary.to_json())

    def stopped(self, summary: JobSummary) -> None:
        """Print the job."""
        print_json(summary.to_json())

    def summary(self, database: Database, summary: JobSummary, out: Path | None, figure: Path | None) -> None:
        """Print the job and the model."""
        del database, figure
        print_json(summary.to_json() | {"model": self._model().to_json(), "out": None if out is None else str(out)})


def describe_epoch(epoch: list[EpochMetrics], num_epochs: int) -> str:
    """An epoch in a line: "head, epoch 7 of 30: loss 0.213, validation accuracy 93.1%"."""
    by_split = {metrics.split: metrics for metrics in epoch}
    shown = by_split.get(Split.VAL) or by_split[Split.TRAIN]
    of_all = f" of {num_epochs}" if shown.number <= num_epochs else ""
    what = "validation accuracy" if shown.split is Split.VAL else "training accuracy"
    return f"{shown.stage}, epoch {shown.number}{of_all}: loss {shown.loss:.3f}, {what} {shown.accuracy:.1%}"
