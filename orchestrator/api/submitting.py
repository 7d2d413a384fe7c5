"""Requests that become jobs: once, however often they are sent with the same key."""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy.exc import IntegrityError

from core.jobs import Idempotency
from core.settings import Settings
from db.ledger.accepting import find_by_key
from orchestrator.api.backend import Backend
from orchestrator.api.callers import Submitter
from orchestrator.submitting import Submitted
from orchestrator.summary import JobSummary, summarise
from orchestrator.waiting import Surroundings

_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="A name for this request, of your choice: sent again with it, the request is the same job.",
    ),
]


async def read_key(request: Request, caller: Submitter, key: _Key = None) -> Idempotency | None:
    """What tells a request that is sent again from a new one; None: nothing does."""
    if key is None:
        return None
    said = f"{request.url.path}\n".encode() + await request.body()
    who = f"{caller.token_id}\n{key}".encode()
    return Idempotency(hashlib.sha256(who).hexdigest(), hashlib.sha256(said).hexdigest())


Key = Annotated[Idempotency | None, Depends(read_key)]


def submit_once(
    backend: Backend, idempotency: Idempotency | None, submit: Callable[[Idempotency | None], Submitted]
) -> JobSummary:
    """Accept a request, unless it was accepted already, and have it planned.

    Raises:
        KeyReusedError: its key came with another request.
        LabelyardError: it cannot be carried out.
    """
    job_id = _find(backend, idempotency)
    if job_id is None:
        try:
            job_id = submit(idempotency).job_id
        except IntegrityError:
            # The same request was accepted in the same moment.
            job_id = _find(backend, idempotency)
            if job_id is None:
                raise
        backend.plan(job_id)
        backend.wake()
    return describe(backend, job_id)


def describe(backend: Backend, job_id: int, *, with_counts: bool = False) -> JobSummary:
    """How a job is."""
    around = around_server(backend.settings)
    return backend.database.query(lambda session: summarise(session, job_id, with_counts=with_counts, around=around))


def around_server(settings: Settings) -> Surroundings:
    """What jobs may wait for, as far as the ledger knows, where a server is there that plans them."""
    return Surroundings(settings.lease_s, settings.is_embedded, is_planning=True)


def _find(backend: Backend, idempotency: Idempotency | None) -> int | None:
    if idempotency is None:
        return None
    return backend.database.query(lambda session: find_by_key(session, idempotency))
