"""The first page: how fast it goes, what is owed, who works, what went wrong."""

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from core.types import JobState
from db.ledger.progress import list_jobs
from orchestrator.dashboard.throughput import Throughput, measure_queue, measure_throughput
from orchestrator.dashboard.visits import ReaderVisit
from orchestrator.fleet import WorkerState, list_fleet
from orchestrator.summary import JobSummary, summarise

router = APIRouter()

NUM_RUNNING = 8
NUM_RECENT = 5
# Jobs among which those with failed images are looked for.
NUM_SEARCHED = 50


@router.get("/")
def show(visit: ReaderVisit) -> Response:
    """The page."""
    with visit.backend.database.read() as session:
        throughput = measure_throughput(session)
        now = _now(session)
        recent = _summaries(session, limit=NUM_RECENT)
        failures = _failures(session)
    return visit.page(
        "overview.html", throughput=throughput, chart=_chart(throughput), recent=recent, failures=failures, **now
    )


@router.get("/overview/now")
def show_now(visit: ReaderVisit) -> Response:
    """What of it changes from second to second."""
    with visit.backend.database.read() as session:
        throughput = measure_throughput(session)
        now = _now(session)
    return visit.page("overview_now.html", throughput=throughput, **now)


@router.get("/overview/throughput")
def show_throughput(visit: ReaderVisit) -> Response:
    """The last hour as a chart."""
    with visit.backend.database.read() as session:
        throughput = measure_throughput(session)
    return visit.page("overview_throughput.html", throughput=throughput, chart=_chart(throughput))


def _now(session: Session) -> dict[str, Any]:
    workers = list_fleet(session)
    states = [worker.state for worker in workers]
    return {
        "queue": measure_queue(session),
        "running": _summaries(session, limit=NUM_RUNNING, state=JobState.RUNNING),
        "workers": [worker for worker in workers if worker.state is not WorkerState.GONE],
        "num_working": states.count(WorkerState.WORKING),
        "num_idle": states.count(WorkerState.IDLE),
        "num_in_trouble": states.count(WorkerState.DECLINING) + states.count(WorkerState.FROZEN),
    }


def _summaries(session: Session, *, limit: int, state: JobState | None = None) -> list[JobSummary]:
    return [summarise(session, job.id, with_counts=False) for job in list_jobs(session, limit=limit, state=state)]


def _failures(session: Session) -> list[JobSummary]:
    """Jobs that failed, and others of the newest that have failed images."""
    failed = {job.id for job in list_jobs(session, limit=NUM_RECENT, state=JobState.FAILED)}
    summaries = _summaries(session, limit=NUM_SEARCHED)
    bad = failed | {one.job_id for one in summaries if one.num_errors}
    return [summarise(session, job_id) for job_id in sorted(bad, reverse=True)[:NUM_RECENT]]


def _chart(throughput: Throughput) -> str:
    return json.dumps(
        {
            "x": throughput.minutes,
            "series": [{"label": "images/s", "values": throughput.rates, "fill": True}],
            "time": True,
        }
    )
