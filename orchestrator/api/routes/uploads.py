"""Uploads: images and archives that come by HTTP, each upload a source of its own."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from db.uploads import get_upload, list_uploads
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Admin, Reader, Submitter
from orchestrator.api.fields import Body, Name
from orchestrator.api.paging import CursorText, Page, PageSize, from_cursor, to_cursor
from orchestrator.api.problems import RefusedError
from orchestrator.api.receiving import received_pieces
from orchestrator.uploads.values import UploadSummary

router = APIRouter(prefix="/uploads", tags=["uploads"])

# Of one form, which has up to 1 MiB of each file in memory until all have come. More come by several, or in an archive.
MAX_FORM_FILES = 100
_PIECE_BYTES = 1024**2
UploadId = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{16}$", description="The upload's id.")]
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": MAX_FORM_FILES}
_FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"files": _FILES},
            "required": ["files"],
            "additionalProperties": False,
        }
    }
}


class NewUpload(Body):
    """What is going to be sent."""

    name: Name


@router.get("")
def list_all(
    backend: BackendDependency, _: Reader, limit: PageSize = 20, cursor: CursorText = None
) -> Page[UploadSummary]:
    """List uploads, the newest first."""
    before = None if cursor is None else from_cursor(cursor, [float, str])
    with backend.database.read() as session:
        found = list_uploads(session, before=None if before is None else (before[0], before[1]), limit=limit + 1)
        items = [UploadSummary.of(upload) for upload in found[:limit]]
    return Page(items=items, next=to_cursor(items[-1].created_at, items[-1].id) if len(found) > limit else None)


@router.post("", status_code=HTTPStatus.CREATED)
def create(backend: BackendDependency, caller: Submitter, body: NewUpload) -> UploadSummary:
    """Begin an upload, which has no files yet."""
    return backend.uploads.create(body.name, token_id=caller.token_id)


@router.get("/{upload_id}")
def show(backend: BackendDependency, _: Reader, upload_id: UploadId) -> UploadSummary:
    """Show one upload."""
    return backend.database.query(lambda session: UploadSummary.of(get_upload(session, upload_id)))


@router.delete("/{upload_id}", status_code=HTTPStatus.NO_CONTENT)
def remove(backend: BackendDependency, _: Admin, upload_id: UploadId) -> None:
    """Delete an upload and its files."""
    backend.uploads.remove(upload_id)


@router.put(
    "/{upload_id}/files/{name:path}",
    status_code=HTTPStatus.CREATED,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}},
)
async def add_file(
    request: Request,
    backend: BackendDependency,
    _: Submitter,
    upload_id: UploadId,
    name: Annotated[
        str, PathParameter(max_length=4096, description="The file's name, with its folders if it has any.")
    ],
) -> UploadSummary:
    """Send one file: an image, a table of images, a tar of images; or a ZIP archive, which is unpacked."""
    return await received_pieces(request, lambda pieces: backend.uploads.add(upload_id, name, pieces))


@router.post(
    "/{upload_id}/files",
    status_code=HTTPStatus.CREATED,
    openapi_extra={"requestBody": {"content": _FORM, "required": True}},
)
async def add_files(request: Request, backend: BackendDependency, _: Submitter, upload_id: UploadId) -> UploadSummary:
    """Send files as a form does, up to a hundred at a time; those before one that is refused are kept."""
    await run_in_threadpool(backend.database.query, lambda session: UploadSummary.of(get_upload(session, upload_id)))
    async with request.form(max_files=MAX_FORM_FILES, max_fields=0) as form:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "unreadable-request",
                f"Received a form without files. Expected 1 to {MAX_FORM_FILES} files in multipart/form-data.",
            )
        for file in files:
            summary = await run_in_threadpool(_add, backend, upload_id, file)
    return summary


def _add(backend: BackendDependency, upload_id: str, file: UploadFile) -> UploadSummary:
    pieces = iter(lambda: file.file.read(_PIECE_BYTES), b"")
    return backend.uploads.add(upload_id, file.filename or "", pieces)
