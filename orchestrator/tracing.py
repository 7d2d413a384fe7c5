"""Traces of what the orchestrator does for jobs. Knows nothing of where they are sent."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar, cast

import structlog

from core.errors import LabelyardError
from core.settings import Settings
from core.tracing import Tracer, tracer_of
from db.database import Database
from db.ledger.tracing import trace_key

logger = structlog.get_logger(__name__)

SERVICE = "labelyard-orchestrator"


class Accepted(Protocol):
    """What accepting a request comes to."""

    @property
    def job_id(self) -> int:
        """The job."""

    @property
    def is_resumed(self) -> bool:
        """Whether it was there already."""


Accept = TypeVar("Accept", bound=Callable[..., Accepted])


def orchestrator_tracer(settings: Settings) -> Tracer:
    """The tracer of a process that submits and plans."""
    return tracer_of(settings, SERVICE)


def traced(accept: Accept) -> Accept:
    """Note each job that a function of database, settings and request accepts, from its request on."""

    @wraps(accept)
    def accept_and_note(database: Database, settings: Settings, request: object) -> Accepted:
        since_ns = time.time_ns()
        accepted = accept(database, settings, request)
        if not accepted.is_resumed:
            note_accepted(database, settings, accepted.job_id, since_ns=since_ns)
        return accepted

    return cast("Accept", accept_and_note)


def note_accepted(database: Database, settings: Settings, job_id: int, *, since_ns: int) -> None:
    """Note a job that was committed just now.

    Args:
        database: where it is.
        settings: whether anything is noted.
        job_id: the job.
        since_ns: when accepting it began, in nanoseconds since 1970.
    """
    tracer = orchestrator_tracer(settings)
    if not tracer.is_on:
        return
    try:
        with database.read() as session:
            key = trace_key(session, job_id)
    except LabelyardError as error:
        # The job is accepted all the same.
        logger.warning("not_traced", job_id=job_id, problem=str(error))
    else:
        tracer.accepted(key, since_ns=since_ns)
