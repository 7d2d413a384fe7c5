"""What a job's trace follows from, read from its row. Asked only where traces are sent."""

from sqlalchemy.orm import Session

from core.tracing import TraceKey
from db.ledger.control import get_job


def trace_key(session: Session, job_id: int) -> TraceKey:
    """The key of one job's trace.

    Raises:
        UnknownJobError: there is no such job.
    """
    job = get_job(session, job_id)
    return TraceKey(job.id, job.created_at, job.request_hash)
