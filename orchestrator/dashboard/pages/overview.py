"""The first page: how fast it goes, what is owed, who works, what went wrong."""

import json
from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.types import JobState
from db.ledger.progress import count_reasons, list_jobs
from db.tables import ChunkTable
from orchestrator.dashboard.throughput import Throughput
from orchestrator.dashboard.visits import ReaderVisit
from orchestrator.summary import JobSummary, summarise

router = APIRouter()

NUM_RUNNING = 8
NUM_RECENT = 5
# Jobs among which those with failed images are looked for.
NUM_SEARCHED = 50


@router.get("/")
def show(visit: ReaderVisit) -> Response:
    """The page."""
    load = visit.glance.load()
    with visit.backend.database.read() as session:
        running = _summaries(session, limit=NUM_RUNNING, state=JobState.RUNNING)
        recent = _summaries(session, limit=NUM_RECENT)
        failures = [_failure(session, job_id) for job_id in _failures(session)]
    return visit.page(
        "overview.html",
        load=load,
        running=running,
        chart=_chart(load.throughput),
        recent=recent,
        failures=failures,
    )


@router.get("/overview/now")
def show_now(visit: ReaderVisit) -> Response:
    """What of it changes from second to second."""
    with visit.backend.database.read() as session:
        running = _summaries(session, limit=NUM_RUNNING, state=JobState.RUNNING)
    return visit.page("overview_now.html", load=visit.glance.load(), running=running)


@router.get("/overview/throughput")
def show_throughput(visit: ReaderVisit) -> Response:
    """The last hour as a chart."""
    load = visit.glance.load()
    return visit.page("overview_throughput.html", load=load, chart=_chart(load.throughput))


def _summaries(session: Session, *, limit: int, state: JobState | None = None) -> list[JobSummary]:
    return [summarise(session, job.id, with_counts=False) for job in list_jobs(session, limit=limit, state=state)]


def _failure(session: Session, job_id: int) -> JobSummary:
    """A job with its errors by reason; its labels, which take as long to count, are not shown here."""
    return replace(summarise(session, job_id, with_counts=False), errors=count_reasons(session, job_id))


def _failures(session: Session) -> list[int]:
    """Jobs that failed, and others of the newest that have failed images; the newest first."""
    failed = {job.id for job in list_jobs(session, limit=NUM_RECENT, state=JobState.FAILED)}
    newest = [job.id for job in list_jobs(session, limit=NUM_SEARCHED)]
    with_errors = select(ChunkTable.job_id).where(ChunkTable.job_id.in_(newest), ChunkTable.num_errors > 0).distinct()
    return sorted({*failed, *session.scalars(with_errors)}, reverse=True)[:NUM_RECENT]


def _chart(throughput: Throughput) -> str:
    series = {"label": "images/s", "values": throughput.rates, "fill": True}
    return json.dumps({"x": throughput.minutes, "series": [series], "time": True})
