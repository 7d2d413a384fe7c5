"""One job: how far it is, what it came to, and the buttons that steer it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from core.types import PriorityName
from orchestrator import steering
from orchestrator.api.fields import JobId
from orchestrator.dashboard.gallery import GalleryQuery, read_gallery
from orchestrator.dashboard.learning import Learning, learning_of
from orchestrator.dashboard.visits import ReaderVisit, SubmitterVisit, Visit, go_to
from orchestrator.formats import TableFormat
from orchestrator.summary import JobSummary, summarise
from orchestrator.waiting import surroundings

router = APIRouter(prefix="/jobs/{job_id}")
forms = APIRouter(prefix="/jobs/{job_id}")

# What is said once after a form: by a word of ours in the address, so that nobody else's text gets there.
DONE = {
    "submitted": "The job is accepted.",
    "pause": "The job is paused: no more of its chunks are handed out.",
    "resume": "The job goes on.",
    "cancel": "The job is cancelled. The rows that it has written stay.",
    "retry": "The job's failed images are tried again.",
    "priority": "The job's priority is changed, from the next chunk on.",
}


@router.get("")
def show(
    visit: ReaderVisit,
    job_id: JobId,
    query: Annotated[GalleryQuery, Query()],
) -> Response:
    """The page, with its gallery."""
    job = _summary(visit, job_id)
    gallery = None if not job.models else read_gallery(visit.backend.database, job_id, query)
    return visit.page(
        "job.html",
        job=job,
        learning=_learning(visit, job_id),
        query=query,
        gallery=gallery,
        formats=list(TableFormat),
        said=DONE.get(query.done or ""),
    )


@router.get("/progress")
def show_progress(visit: ReaderVisit, job_id: JobId) -> Response:
    """How far it is; asked for again and again."""
    return visit.page("job_progress.html", job=_summary(visit, job_id), learning=_learning(visit, job_id))


@router.get("/counts")
def show_counts(visit: ReaderVisit, job_id: JobId) -> Response:
    """What it came to: images by label, errors by reason."""
    return visit.page("job_counts.html", job=_summary(visit, job_id, with_counts=True))


@router.get("/gallery")
def show_gallery(visit: ReaderVisit, job_id: JobId, query: Annotated[GalleryQuery, Query()]) -> Response:
    """Its images."""
    job = _summary(visit, job_id)
    return visit.page(
        "job_gallery.html", job=job, query=query, gallery=read_gallery(visit.backend.database, job_id, query)
    )


@forms.post("/pause")
def pause(visit: SubmitterVisit, job_id: JobId) -> Response:
    """Hand out no more of it."""
    steering.pause(visit.backend.database, [job_id])
    return go_to(f"/jobs/{job_id}", done="pause")


@forms.post("/cancel")
def cancel(visit: SubmitterVisit, job_id: JobId) -> Response:
    """End it for good."""
    steering.cancel(visit.backend.database, [job_id])
    return go_to(f"/jobs/{job_id}", done="cancel")


@forms.post("/resume")
def resume(visit: SubmitterVisit, job_id: JobId) -> Response:
    """Go on with it."""
    visit.backend.database.transact(partial(steering.resume, job_id=job_id))
    return _started(visit, job_id, "resume")


@forms.post("/retry")
def retry(visit: SubmitterVisit, job_id: JobId) -> Response:
    """Try its failed images again."""
    visit.backend.database.transact(partial(steering.retry, job_id=job_id))
    return _started(visit, job_id, "retry")


@forms.post("/priority")
def set_priority(visit: SubmitterVisit, job_id: JobId, priority: Annotated[PriorityName, Form()]) -> Response:
    """Have it done sooner or later than others."""
    steering.set_priority(visit.backend.database, [job_id], priority.priority)
    return go_to(f"/jobs/{job_id}", done="priority")


def _learning(visit: Visit, job_id: int) -> Learning | None:
    return visit.backend.database.query(lambda session: learning_of(session, job_id))


def _started(visit: Visit, job_id: int, done: str) -> Response:
    visit.backend.plan(job_id)
    visit.backend.wake()
    return go_to(f"/jobs/{job_id}", done=done)


def _summary(visit: Visit, job_id: int, *, with_counts: bool = False) -> JobSummary:
    around = surroundings(visit.backend.settings, visit.backend.database, is_planning=True)
    return visit.backend.database.query(
        lambda session: summarise(session, job_id, with_counts=with_counts, around=around)
    )
