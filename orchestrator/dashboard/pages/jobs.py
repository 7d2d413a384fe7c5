"""The list of jobs."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from core.types import JobKind, JobState
from db.ledger.progress import list_jobs
from orchestrator.api.fields import Id
from orchestrator.dashboard.visits import ReaderVisit
from orchestrator.summary import summarise

router = APIRouter()

PAGE_SIZE = 25


@router.get("/jobs")
def show(
    visit: ReaderVisit,
    *,
    kind: Annotated[JobKind | None, Query()] = None,
    state: Annotated[JobState | None, Query()] = None,
    before: Annotated[Id | None, Query()] = None,
) -> Response:
    """The newest jobs, or those before one."""
    with visit.backend.database.read() as session:
        found = list_jobs(session, limit=PAGE_SIZE + 1, before=before, kind=kind, state=state)
        jobs = [summarise(session, job.id, with_counts=False) for job in found[:PAGE_SIZE]]
    return visit.page(
        "jobs.html",
        jobs=jobs,
        kind=kind,
        state=state,
        before=before,
        next_before=jobs[-1].job_id if len(found) > PAGE_SIZE else None,
        kinds=list(JobKind),
        states=list(JobState),
    )
