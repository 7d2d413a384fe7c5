"""Jobs: ask for labels, list, show, steer."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from core.jobs import DEFAULT_CHUNK_SIZE, DEFAULT_MODEL, Idempotency, LabelOptions
from core.types import JobKind, JobState, LabelPrecision, PriorityName, ResizeMode
from db.ledger.progress import list_jobs
from orchestrator import steering
from orchestrator.api.backend import Backend, BackendDependency
from orchestrator.api.callers import Reader, Submitter
from orchestrator.api.fields import Body, JobId, Name, Share, Source, Text
from orchestrator.api.paging import CursorText, Page, PageSize, from_cursor, to_cursor
from orchestrator.api.submitting import Key, around_server, describe, submit_once
from orchestrator.relabelling import submit_relabel
from orchestrator.submitting import LabelRequest, submit
from orchestrator.summary import JobSummary, summarise
from orchestrator.waiting import surroundings

router = APIRouter(prefix="/jobs", tags=["jobs"])


class NewJob(Body):
    """What is to be labelled, by which models, how."""

    sources: list[Source] = Field(min_length=1, max_length=100)
    models: list[Name] = Field(default=[DEFAULT_MODEL], min_length=1, max_length=32)
    name: Text | None = None
    priority: PriorityName = PriorityName.BULK
    top_k: int = Field(default=5, ge=1, le=1000)
    resize: ResizeMode | None = None
    chunk_size: int = Field(default=DEFAULT_CHUNK_SIZE, ge=1, le=100_000)
    column: Name | None = None
    allow_http: bool = False
    precision: LabelPrecision = LabelPrecision.FULL
    force_int8: bool = False
    abstain: Share | None = None
    keep_features: bool = True

    def to_request(self, idempotency: Idempotency | None) -> LabelRequest:
        """What the command line would have made of it."""
        return LabelRequest(
            sources=self.sources,
            models=self.models,
            options=LabelOptions(
                top_k=self.top_k,
                resize=self.resize or ResizeMode.CROP,
                chunk_size=self.chunk_size,
                keep_features=self.keep_features,
                precision=self.precision,
                force_int8=self.force_int8,
            ),
            priority=self.priority.priority,
            name=self.name,
            column=self.column,
            allow_http=self.allow_http,
            resize_is_asked=self.resize is not None,
            abstain=self.abstain,
            idempotency=idempotency,
        )


class Relabelling(Body):
    """Which version labels a job's images again."""

    model: Name


class Change(Body):
    """What is to be different about a job."""

    priority: PriorityName


@router.post("", status_code=HTTPStatus.ACCEPTED)
def label(backend: BackendDependency, _: Submitter, key: Key, body: NewJob) -> JobSummary:
    """Label images.

    The same request without a key goes on with its unfinished job, if there is one.
    """
    return submit_once(backend, key, lambda found: submit(backend.database, backend.settings, body.to_request(found)))


@router.get("")
def list_all(
    backend: BackendDependency,
    _: Reader,
    *,
    kind: Annotated[JobKind | None, Query(description="Only of this kind.")] = None,
    state: Annotated[JobState | None, Query(description="Only in this state.")] = None,
    limit: PageSize = 20,
    cursor: CursorText = None,
) -> Page[JobSummary]:
    """List jobs, the newest first."""
    before = None if cursor is None else from_cursor(cursor, [int])[0]
    around = around_server(backend.settings)
    with backend.database.read() as session:
        jobs = list_jobs(session, limit=limit + 1, before=before, kind=kind, state=state)
        items = [summarise(session, job.id, with_counts=False, around=around) for job in jobs[:limit]]
        return Page(items=items, next=to_cursor(jobs[limit - 1].id) if len(jobs) > limit else None)


@router.get("/{job_id}")
def show(backend: BackendDependency, _: Reader, job_id: JobId) -> JobSummary:
    """Show one job: how far it is, what went wrong, why it waits."""
    around = surroundings(backend.settings, backend.database, is_planning=True)
    return backend.database.query(lambda session: summarise(session, job_id, around=around))


@router.patch("/{job_id}")
def change(backend: BackendDependency, _: Submitter, job_id: JobId, body: Change) -> JobSummary:
    """Have a job done sooner or later than others."""
    steering.set_priority(backend.database, [job_id], body.priority.priority)
    return describe(backend, job_id)


@router.post("/{job_id}/pause")
def pause(backend: BackendDependency, _: Submitter, job_id: JobId) -> JobSummary:
    """Hand out no more of a job's chunks."""
    steering.pause(backend.database, [job_id])
    return describe(backend, job_id)


@router.post("/{job_id}/cancel")
def cancel(backend: BackendDependency, _: Submitter, job_id: JobId) -> JobSummary:
    """End a job for good; rows that it has written stay."""
    steering.cancel(backend.database, [job_id])
    return describe(backend, job_id)


@router.post("/{job_id}/resume")
def resume(backend: BackendDependency, _: Submitter, job_id: JobId) -> JobSummary:
    """Go on with a job that was paused, stopped or failed."""
    return _start(backend, job_id, partial(steering.resume, job_id=job_id))


@router.post("/{job_id}/retry")
def retry(backend: BackendDependency, _: Submitter, job_id: JobId) -> JobSummary:
    """Try an ended job's failed images again, and no others."""
    return _start(backend, job_id, partial(steering.retry, job_id=job_id))


@router.post("/{job_id}/relabel", status_code=HTTPStatus.ACCEPTED)
def relabel(backend: BackendDependency, _: Submitter, key: Key, job_id: JobId, body: Relabelling) -> JobSummary:
    """Label a job's images again with a version of its model, as a job of its own."""
    return submit_once(
        backend,
        key,
        lambda found: submit_relabel(backend.database, backend.settings, job_id, body.model, idempotency=found),
    )


def _start(backend: Backend, job_id: int, start: Callable[..., None]) -> JobSummary:
    backend.database.transact(start)
    backend.plan(job_id)
    backend.wake()
    return describe(backend, job_id)
