"""How far a training is: by epochs, not by images."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.training import EpochMetrics
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.trainings import epochs_of


@dataclass(frozen=True, slots=True)
class Learning:
    """The newest epoch of a training."""

    epoch: int
    num_epochs: int  # at most; it may stop earlier
    metrics: list[EpochMetrics]  # of each split


def learning_of(session: Session, job_id: int) -> Learning | None:
    """Look at a training; None: it is none, or has not ended an epoch yet."""
    job = get_job(session, job_id)
    models = models_of(session, job_id) if job.kind.is_training else ()
    epochs = epochs_of(session, models[0].id) if models else []
    if not epochs:
        return None
    newest = epochs[-1].number
    return Learning(newest, job.options["num_epochs"], [one for one in epochs if one.number == newest])
