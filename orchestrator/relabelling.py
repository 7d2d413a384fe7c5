"""Labelling a job's images again with a newer version of its model: a new result version, as a job of its own."""

from dataclasses import replace

from core.errors import UsageError
from core.jobs import Idempotency, LabelOptions
from core.settings import Settings
from db.database import Database
from db.ledger.control import get_job
from orchestrator.submitting import LabelRequest, Submitted, submit


def submit_relabel(
    database: Database, settings: Settings, job_id: int, model: str, *, idempotency: Idempotency | None = None
) -> Submitted:
    """Ask for the images of a job again.

    They are treated as they were. Features that are kept are used again, so that a head on the same network computes
    nothing.

    Args:
        database: the ledger.
        settings: what may be read.
        job_id: whose images.
        model: which version labels them, as a user types it.
        idempotency: what tells this request from another like it.

    Raises:
        UnknownJobError: there is no such job.
        UsageError: it is no job of images, or they have not all been found.
    """
    with database.read() as session:
        job = get_job(session, job_id)
    if job.kind.is_training:
        raise UsageError(f"Job {job_id} is a training, which has no labels to renew. Name a job of `labelyard label`.")
    # Thresholds are those of the other version.
    options = replace(LabelOptions.from_json(job.options), thresholds={})
    name = f"{job.name}, again with {model}"
    request = LabelRequest([f"job:{job_id}"], [model], options, name=name, idempotency=idempotency)
    return submit(database, settings, request)
