"""Steering jobs that are in the ledger, and saying in a sentence what became of each.

Several are steered in one transaction: either all of them can be, or nothing changes.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.errors import StateError
from core.jobs import DEFAULT_CHUNK_SIZE
from core.types import Priority
from db.database import Database
from db.ledger import control
from db.ledger.control import TRAINING_KINDS, get_job
from db.ledger.progress import progress


def pause(database: Database, job_ids: Sequence[int]) -> list[str]:
    """Hand out no more of these jobs' chunks.

    Returns:
        A sentence for each.

    Raises:
        UnknownJobError: one is not there; none was paused.
        StateError: one has ended; none was paused.
    """
    return database.transact(lambda session: [_pause(session, job_id) for job_id in job_ids])


def cancel(database: Database, job_ids: Sequence[int]) -> list[str]:
    """End these jobs for good.

    Returns:
        A sentence for each.

    Raises:
        UnknownJobError: one is not there; none was cancelled.
        StateError: one has ended; none was cancelled.
    """
    return database.transact(lambda session: [_cancel(session, job_id) for job_id in job_ids])


def set_priority(database: Database, job_ids: Sequence[int], priority: Priority) -> list[str]:
    """Have these jobs done sooner or later than others.

    Returns:
        A sentence for each.

    Raises:
        UnknownJobError: one is not there; none was changed.
        StateError: one has ended; none was changed.
    """
    return database.transact(lambda session: [_set_priority(session, job_id, priority) for job_id in job_ids])


def resume(session: Session, job_id: int) -> None:
    """Go on with a job.

    Raises:
        UnknownJobError: there is no such job.
        StateError: it has ended.
    """
    control.resume(session, job_id)


def retry(session: Session, job_id: int) -> None:
    """Owe an ended job's failed images again, in chunks as large as its first ones.

    Raises:
        UnknownJobError: there is no such job.
        StateError: it has not ended, or is a training.
    """
    options = get_job(session, job_id).options
    control.retry_errors(session, job_id, chunk_size=options.get("chunk_size", DEFAULT_CHUNK_SIZE))


def _pause(session: Session, job_id: int) -> str:
    already = "" if control.pause(session, job_id) else " already"
    job = get_job(session, job_id)  # looked at afterwards: it may have ended in the same moment
    if job.state.is_final:
        raise StateError(f"Job {job_id} is {job.state}; there is nothing to pause.")
    done = "it has its checkpoint" if job.kind in TRAINING_KINDS else _rows(session, job_id)
    return f"Job {job_id} is paused{already}; {done}. `labelyard jobs resume {job_id}` goes on."


def _cancel(session: Session, job_id: int) -> str:
    control.cancel(session, job_id)
    return f"Job {job_id} is cancelled; {_rows(session, job_id)}."


def _set_priority(session: Session, job_id: int, priority: Priority) -> str:
    control.set_priority(session, job_id, priority)
    return f"Job {job_id} is {priority.name.lower()}, from the next chunk on."


def _rows(session: Session, job_id: int) -> str:
    so_far = progress(session, job_id)
    return f"{so_far.num_finished:,} of {so_far.num_planned:,} images have their rows"
