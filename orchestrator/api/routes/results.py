"""What jobs came to: rows by pages, whole tables, what changed since another job, and how a job goes on."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.types import Receive, Scope, Send

from core.errors import UnknownJobError, UsageError
from core.labels import ClassLabel
from core.types import Reason
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable
from db.results import LabelledImage, ResultFilter, class_labels, read_one, read_page
from orchestrator.api.backend import Backend, BackendDependency
from orchestrator.api.callers import Reader
from orchestrator.api.fields import JobId, Name, Parameters, Share
from orchestrator.api.paging import MAX_ID, MAX_PAGE_SIZE, Page, from_cursor, to_cursor
from orchestrator.api.submitting import describe
from orchestrator.api.turns import Turns
from orchestrator.differing import COLUMNS as CHANGE_COLUMNS
from orchestrator.differing import compare_jobs
from orchestrator.exporting import Row, columns_of, row_of, rows
from orchestrator.formats import Line, TableFormat, encode
from orchestrator.summary import JobSummary

router = APIRouter(prefix="/jobs/{job_id}", tags=["results"])

# Tables that are sent at the same time. Each has a connection with the database for as long as its reader takes; of
# those there are a dozen.
NUM_TABLES = 4
MAX_WAIT_S = 20.0
# Seconds between two looks at a job that somebody follows.
FOLLOW_INTERVAL_S = 1.0
_TABLES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {one.media_type: {} for one in TableFormat}}
}
Format = Annotated[TableFormat, Query(alias="format", description="The table's format.")]


class ResultQuery(Parameters):
    """Which of a job's images are looked for."""

    model: Name | None = Field(default=None, description="Whose answers; the job's first model, if not said.")
    label: Name | None = Field(default=None, description="Only images of this label.")
    min_score: Share | None = Field(default=None, description="Only of at least this probability.")
    max_score: Share | None = Field(default=None, description="Only of at most this probability.")
    errors: bool = Field(default=False, description="Only images with errors.")
    reason: Reason | None = Field(default=None, description="Only images with this error.")
    needs_review: bool | None = Field(default=None, description="Only images that need a look, or need none.")
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_SIZE, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before.")

    def to_filter(self, labels: Mapping[int, ClassLabel]) -> ResultFilter:
        """The same for the store, which knows classes by their indices."""
        return ResultFilter(
            class_indices=None
            if self.label is None
            else [index for index, one in labels.items() if one.label == self.label],
            min_score=self.min_score,
            max_score=self.max_score,
            reasons=[self.reason] if self.reason else list(Reason) if self.errors else None,
            needs_review=self.needs_review,
        )


class Score(BaseModel):
    """What a model gives one class."""

    label: str
    label_id: str
    score: float = Field(description="Its probability, 0 to 1.")


class Result(BaseModel):
    """One image and what one model says of it."""

    ordinal: int = Field(description="Its place in the job.")
    image: str = Field(description="The source's own name for it.")
    model: str
    label: str | None = Field(description="null: an error, or not done yet.")
    label_id: str | None
    score: float | None
    topk: list[Score]
    reason: Reason | None = Field(description="Why there is no label.")
    error: str | None = Field(description="The same as a sentence.")
    needs_review: bool | None = Field(description="Whether a person should look; null: nobody asked.")
    sha256: str | None = Field(description="Of the content that was seen.")


class _Table(StreamingResponse):
    """Sent when it is its turn."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turns: Turns = scope["app"].state.tables
        async with turns.turn():
            await super().__call__(scope, receive, send)


@router.get("/results")
def list_results(
    backend: BackendDependency,
    _: Reader,
    job_id: JobId,
    query: Annotated[ResultQuery, Query()],
) -> Page[Result]:
    """List a job's images with what a model says of them, in source order."""
    after = -1 if query.cursor is None else from_cursor(query.cursor, [int])[0]
    with backend.database.read() as session:
        chosen = choose_model(session, job_id, query.model)
        labels = class_labels(session, chosen.id)
        images = read_page(session, job_id, chosen.id, query.to_filter(labels), after=after, limit=query.limit + 1)
    items = [
        _result(image, row_of(image, labels, f"{chosen.name}@{chosen.version}")) for image in images[: query.limit]
    ]
    return Page(items=items, next=to_cursor(items[-1].ordinal) if len(images) > query.limit else None)


@router.get("/results/{ordinal}")
def show_result(
    backend: BackendDependency,
    _: Reader,
    job_id: JobId,
    ordinal: Annotated[int, Path(ge=0, le=MAX_ID, description="The image's place in the job.")],
    *,
    model: Annotated[Name | None, Query(description="Whose answer; the job's first model, if not said.")] = None,
) -> Result:
    """Show one image of a job with what a model says of it."""
    with backend.database.read() as session:
        chosen = choose_model(session, job_id, model)
        image = read_one(session, job_id, chosen.id, ordinal)
        if image is None:
            raise UnknownJobError(
                f"Job {job_id} has no image {ordinal}. GET /jobs/{job_id}/results lists those it has."
            )
        return _result(image, row_of(image, class_labels(session, chosen.id), f"{chosen.name}@{chosen.version}"))


@router.get("/export", response_class=StreamingResponse, responses=_TABLES)
def export(
    backend: BackendDependency, _: Reader, job_id: JobId, *, table_format: Format = TableFormat.CSV
) -> StreamingResponse:
    """Send a job's results as a table: one line per image, in source order."""
    with backend.database.read() as session:
        columns = columns_of(session, job_id)

    def read(session: Session) -> Iterator[Line]:
        return rows(session, job_id)

    return _stream(backend, read, columns, table_format, f"job-{job_id}")


@router.get("/diff", response_class=StreamingResponse, responses=_TABLES)
def diff(
    backend: BackendDependency,
    _: Reader,
    job_id: JobId,
    *,
    before: Annotated[int, Query(ge=1, le=MAX_ID, description="The earlier job.")],
    table_format: Format = TableFormat.CSV,
) -> StreamingResponse:
    """Send the images of which this job says something else than an earlier one."""
    with backend.database.read() as session:
        compare_jobs(session, job_id, before)

    def read(session: Session) -> Iterator[Line]:
        return compare_jobs(session, job_id, before).changes()

    return _stream(backend, read, CHANGE_COLUMNS, table_format, f"job-{before}-to-{job_id}")


def require_job(backend: BackendDependency, _: Reader, job_id: JobId) -> None:
    """Make sure of a job while the answer may still be that there is none."""
    backend.database.query(lambda session: get_job(session, job_id).id)


@router.get("/events", response_class=EventSourceResponse)
async def follow(
    request: Request, backend: BackendDependency, _: Annotated[None, Depends(require_job)], job_id: JobId
) -> AsyncIterable[JobSummary]:
    """Follow a job: how it is now, and again whenever that has changed, until it has ended."""
    said: JobSummary | None = None
    while not await request.is_disconnected():
        summary = await run_in_threadpool(describe, backend, job_id)
        if summary != said:
            said = summary
            yield summary
        if summary.state.is_final:
            return
        await asyncio.sleep(FOLLOW_INTERVAL_S)


def choose_model(session: Session, job_id: int, text: str | None) -> ModelTable:
    """The model of a job whose answers are meant; its first if nothing is said.

    Raises:
        UnknownJobError: there is no such job.
        UsageError: it does not have that model, or has none.
    """
    get_job(session, job_id)
    models = models_of(session, job_id)
    names = [f"{model.name}@{model.version}" for model in models]
    if not models or (text is not None and text not in names):
        raise UsageError(
            f"Received {text!r} as a model of job {job_id}. Expected one of: {', '.join(names) or 'none'}."
        )
    return models[0 if text is None else names.index(text)]


def _result(image: LabelledImage, row: Row) -> Result:
    return Result(
        ordinal=image.ordinal,
        image=row.image,
        model=row.model,
        label=row.label,
        label_id=row.label_id,
        score=row.score,
        topk=[Score(**score) for score in row.topk],
        reason=image.reason,
        error=image.detail,
        needs_review=image.needs_review,
        sha256=image.sha256,
    )


def _stream(
    backend: Backend,
    read: Callable[[Session], Iterator[Line]],
    columns: Sequence[str],
    table_format: TableFormat,
    name: str,
) -> StreamingResponse:
    def pieces() -> Iterator[bytes]:
        with backend.database.read() as session:
            yield from encode(table_format, read(session), columns)

    disposition = f'attachment; filename="{name}.{table_format}"'
    return _Table(pieces(), media_type=table_format.media_type, headers={"Content-Disposition": disposition})
