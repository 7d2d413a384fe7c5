"""Uploading: images, folders and archives from a browser, labelled at once."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from core.errors import LabelyardError, UsageError
from db.uploads import list_uploads
from orchestrator.api.routes.uploads import MAX_FORM_FILES
from orchestrator.dashboard.choices import labelling_models, likely_model
from orchestrator.dashboard.fields import MaybeText
from orchestrator.dashboard.visits import SubmitterVisit, Visit, go_to
from orchestrator.submitting import LabelRequest, submit
from orchestrator.uploads.values import UploadSummary

router = APIRouter(prefix="/upload")
# Its bodies are as large as the API's uploads; the others' are not.
large_forms = APIRouter(prefix="/upload")

NUM_RECENT = 10
_PIECE_BYTES = 1024**2
_MAX_NAME_LENGTH = 200


@router.get("")
def show(visit: SubmitterVisit, model: Annotated[MaybeText, Query(max_length=300)] = None) -> Response:
    """The page."""
    return _page(visit, chosen=model)


@large_forms.post("")
async def receive(request: Request, visit: SubmitterVisit) -> Response:
    """Take files as a form sends them, and have them labelled.

    The page's script sends them to the API instead, a few at a time, and says how far it is; this is for those who
    have none.
    """
    async with request.form(max_files=MAX_FORM_FILES, max_fields=10) as form:
        return await run_in_threadpool(_receive, visit, form)


def _receive(visit: Visit, form: FormData) -> Response:
    model = str(form.get("model") or "")
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile) and value.filename]
    try:
        if not files:
            raise UsageError("Received no file. Expected images, tables of them, or archives.")
        job_id = _label(visit, files, model)
    except LabelyardError as error:
        return _page(visit, chosen=model, problem=str(error), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    visit.backend.plan(job_id)
    visit.backend.wake()
    return go_to(f"/jobs/{job_id}", done="submitted")


def _label(visit: Visit, files: list[UploadFile], model: str) -> int:
    uploads = visit.backend.uploads
    name = files[0].filename or ""
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    name = f"{name[: _MAX_NAME_LENGTH - len(others)]}{others}"
    upload = uploads.create(name, token_id=visit.caller.token_id)
    for file in files:
        uploads.add(upload.id, file.filename or "", _pieces(file))
    request = LabelRequest(sources=[upload.source], models=[model], name=name)
    return submit(visit.backend.database, visit.backend.settings, request).job_id


def _pieces(file: UploadFile) -> Iterator[bytes]:
    return iter(lambda: file.file.read(_PIECE_BYTES), b"")


def _page(
    visit: Visit, *, chosen: str | None, problem: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    with visit.backend.database.read() as session:
        models = labelling_models(session)
        recent = [UploadSummary.of(row) for row in list_uploads(session, before=None, limit=NUM_RECENT)]
        likely = chosen or likely_model(session, models)
    return visit.page("upload.html", status=status, models=models, chosen=likely, recent=recent, problem=problem)
