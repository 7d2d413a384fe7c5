"""What there is to say about a job, as one frozen value: the CLI prints it, `--json` dumps it."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.types import JobKind, JobState, Priority
from db.clock import now_s
from db.ledger import control, pace, progress
from db.results import count_labels, count_names, count_to_review
from db.tables import JobTable
from orchestrator.waiting import Surroundings, reason_to_wait

NUM_TOP_LABELS = 10


@dataclass(frozen=True, slots=True)
class WorkerSummary:
    """A worker that had part in a job."""

    id: str
    backbone_loads: dict[str, int]  # how often it loaded each backbone in its life
    problems: dict[str, str]  # why it cannot load a backbone, by the backbone's name


@dataclass(frozen=True, slots=True)
class JobSummary:
    """Where a job stands, or how it ended."""

    job_id: int
    kind: JobKind
    name: str
    state: JobState
    models: list[str]
    priority: str
    num_images: int  # images found in the sources so far
    num_skipped: int  # files of the sources that are not images
    num_predictions: int
    num_errors: int
    is_planned: bool  # whether all images have been found
    seconds: float  # how long it has run, pauses left out
    images_per_s: float
    seconds_left: float | None  # as the chunks that were finished last let expect; None: not known
    num_chunks: dict[str, int]  # by state
    stages: dict[str, float]  # core.jobs.StageSeconds of the finished chunks, added up
    labels: dict[str, dict[str, int]]  # by model: images per label, of the ten most frequent ones
    errors: dict[str, int]  # images per reason
    num_to_review: int | None  # predictions that need a human look; None: nobody asked
    workers: list[WorkerSummary]
    waits_for: str | None  # why nothing happens, if nothing does
    error: str | None

    @property
    def num_finished(self) -> int:
        """Images that have their row."""
        return self.num_predictions + self.num_errors

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def summarise(
    session: Session, job_id: int, *, with_counts: bool = True, around: Surroundings | None = None
) -> JobSummary:
    """Look at a job.

    Args:
        session: any transaction.
        job_id: the job.
        with_counts: whether to count labels and errors, which reads all results of the job.
        around: what it may wait for outside of the ledger.

    Raises:
        UnknownJobError: there is no such job.
    """
    job = control.get_job(session, job_id)
    so_far = progress.progress(session, job_id)
    models = progress.models_of(session, job_id)
    seconds = _seconds(session, job)
    waits_for = reason_to_wait(session, job, so_far, around or Surroundings())
    left_s = None if waits_for else pace.seconds_left(session, job, so_far)
    return JobSummary(
        job_id=job.id,
        kind=job.kind,
        name=job.name,
        state=job.state,
        models=[f"{model.name}@{model.version}" for model in models],
        priority=Priority(job.priority).name.lower(),
        num_images=so_far.num_planned,
        num_skipped=job.num_skipped,
        num_predictions=so_far.num_predictions,
        num_errors=so_far.num_errors,
        is_planned=so_far.is_planned,
        seconds=round(seconds, 3),
        images_per_s=round(so_far.num_finished / seconds, 2) if seconds > 0 else 0.0,
        seconds_left=None if left_s is None else round(left_s, 1),
        num_chunks={str(state): number for state, number in progress.count_chunks(session, job_id).items()},
        stages={name: round(spent, 3) for name, spent in asdict(progress.stage_seconds(session, job_id)).items()},
        labels={
            f"{model.name}@{model.version}": dict(count_labels(session, job_id, model.id, limit=NUM_TOP_LABELS))
            for model in (models if with_counts else ())
        },
        errors=progress.count_reasons(session, job_id) if with_counts else {},
        num_to_review=count_to_review(session, job_id) if with_counts else None,
        workers=[
            WorkerSummary(worker.id, worker.backbone_loads, worker.problems)
            for worker in progress.workers_of(session, job_id)
        ],
        waits_for=waits_for,
        error=job.error,
    )


def count_other_labels(session: Session, job_id: int) -> dict[str, int]:
    """By model: how many labels there are besides those that a summary holds."""
    return {
        f"{model.name}@{model.version}": max(0, count_names(session, job_id, model.id) - NUM_TOP_LABELS)
        for model in progress.models_of(session, job_id)
    }


def _seconds(session: Session, job: JobTable) -> float:
    """How long a job has run, pauses left out."""
    if job.state is not JobState.RUNNING:
        return job.active_s
    return job.active_s + max(session.scalars(select(now_s())).one() - job.started_at, 0.0)
