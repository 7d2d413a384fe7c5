"""Writing to the outbox: within the transaction that something is about, or of jobs that were found to have ended."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.settings import Settings
from core.types import Event, JobState
from db.ledger.control import get_job
from db.notifications import add_notification, told_subjects
from db.tables import JobTable
from orchestrator.notifying.channels import channels_of
from orchestrator.notifying.payloads import job_facts

# Jobs that ended longer ago are no news; so nobody who sets a webhook up is told of all that there ever was.
MAX_JOB_AGE_S = 24 * 3600.0
_EVENTS = {JobState.DONE: Event.JOB_DONE, JobState.FAILED: Event.JOB_FAILED}


def tell(
    session: Session, settings: Settings, event: Event, subject: str, facts: Mapping[str, Any], *, at_s: float
) -> None:
    """Have everyone told who is to be.

    Args:
        session: a writing transaction, that of what is told.
        settings: who is to be told.
        event: what has happened.
        subject: to what; together they are told once.
        facts: plain values.
        at_s: when, in seconds since 1970.
    """
    add_notification(session, event, subject, facts, channels_of(settings), at_s=at_s)


def tell_of_ended_jobs(session: Session, settings: Settings, *, at_s: float) -> int:
    """Have people told of jobs that have ended and that nobody was told of.

    Returns:
        How many there were.
    """
    ends = untold_jobs(session, at_s=at_s)
    for job_id, subject in ends:
        job = get_job(session, job_id)
        tell(session, settings, _EVENTS[job.state], subject, job_facts(session, job), at_s=at_s)
    return len(ends)


def untold_jobs(session: Session, *, at_s: float) -> list[tuple[int, str]]:
    """Jobs that have ended and that nobody was told of, with what their ends are told by; in two short queries."""
    rows = session.execute(
        select(JobTable.id, JobTable.finished_at)
        .where(JobTable.state.in_(tuple(_EVENTS)), JobTable.finished_at > at_s - MAX_JOB_AGE_S)
        .order_by(JobTable.id)
    )
    # A job that was retried ends again, and that is news again.
    subjects = {f"job:{job_id}:{finished_at:.3f}": job_id for job_id, finished_at in rows}
    told = told_subjects(session, tuple(_EVENTS.values()), subjects)
    return [(job_id, subject) for subject, job_id in subjects.items() if subject not in told]
