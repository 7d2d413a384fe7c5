"""Models: what there is, how good each is, which is in use; carrying one elsewhere."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from db.promotions import promote as take_into_use
from db.promotions import roll_back
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Admin, Reader
from orchestrator.api.fields import Name
from orchestrator.api.made_files import made_file
from orchestrator.api.receiving import received_file
from orchestrator.api.turns import Turns
from orchestrator.carrying import MAX_NUM_BYTES, export_model, import_model
from orchestrator.comparing import Comparison, compare_models
from orchestrator.models import ModelSummary, summarise_model, summarise_models
from orchestrator.naming import find_trained
from orchestrator.reporting import write_report
from workers.exporting import ExportFormat

router = APIRouter(tags=["models"])

# Exports and reports that are written at the same time. Each starts a process, for Keras with TensorFlow: a gigabyte.
NUM_WRITING = 2
MAX_WAIT_S = 20.0

_NAME = r"^[^\x00-\x1f\x7f/@]+$"
ModelNameText = Annotated[
    str, PathParameter(max_length=200, pattern=_NAME, description="The name that versions share.")
]
Version = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="Which version of that name.")]


class Imported(BaseModel):
    """What a file became."""

    model: str
    is_champion: bool = Field(description="Whether the bare name means it.")


@router.get("/models")
def list_all(backend: BackendDependency, _: Reader) -> list[ModelSummary]:
    """List models of your own, every version of each."""
    return backend.database.query(summarise_models)


@router.get("/comparison")
def compare(
    backend: BackendDependency,
    _: Reader,
    first: Annotated[Name, Query(description="NAME or NAME@VERSION.")],
    second: Annotated[Name, Query(description="What to compare it with.")],
) -> Comparison:
    """Compare two models on the images that neither has learned from."""
    return backend.database.query(lambda session: compare_models(session, first, second))


@router.post(
    "/models",
    status_code=HTTPStatus.CREATED,
    max_body_size=MAX_NUM_BYTES,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def import_file(
    request: Request,
    backend: BackendDependency,
    _: Admin,
    name: Annotated[Name | None, Query(description="What to call it here; its own name if not given.")] = None,
) -> Imported:
    """Bring a model from another Labelyard, as `models export --format safetensors` wrote it."""

    def use(path: Path) -> Imported:
        label, is_champion = import_model(backend.database, path, name=name)
        return Imported(model=label, is_champion=is_champion)

    return await received_file(request, "model.safetensors", MAX_NUM_BYTES, use)


@router.get("/models/{name}")
def show(backend: BackendDependency, _: Reader, name: ModelNameText) -> ModelSummary:
    """Show the champion of a name."""
    return _summary(backend, name)


@router.post("/models/{name}/rollback")
def rollback(backend: BackendDependency, _: Admin, name: ModelNameText) -> ModelSummary:
    """Take the champion before the present one into use again."""
    with backend.database.write() as session:
        find_trained(session, name)
        roll_back(session, name)
    return _summary(backend, name)


@router.get("/models/{name}/versions/{version}")
def show_version(backend: BackendDependency, _: Reader, name: ModelNameText, version: Version) -> ModelSummary:
    """Show one version."""
    return _summary(backend, f"{name}@{version}")


@router.post("/models/{name}/versions/{version}/promote")
def promote(backend: BackendDependency, _: Admin, name: ModelNameText, version: Version) -> ModelSummary:
    """Take a version into use: from now on its bare name means it."""
    text = f"{name}@{version}"
    with backend.database.write() as session:
        take_into_use(session, find_trained(session, text))
    return _summary(backend, text)


@router.get("/models/{name}/versions/{version}/export", response_class=FileResponse)
async def export(
    request: Request,
    backend: BackendDependency,
    _: Reader,
    name: ModelNameText,
    version: Version,
    export_format: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.SAFETENSORS,
) -> FileResponse:
    """Send a version as a file: for Keras, for ONNX Runtime, or for another Labelyard."""

    def make(path: Path) -> None:
        export_model(backend.database, f"{name}@{version}", format_name=export_format, path=path)

    return await _turns(request).take(lambda: made_file(f"{name}-{version}.{export_format}", make))


@router.get("/models/{name}/versions/{version}/report", response_class=FileResponse)
async def report(
    request: Request, backend: BackendDependency, _: Reader, name: ModelNameText, version: Version
) -> FileResponse:
    """Send a page about a version: curves, confusion, calibration, its worst mistakes."""

    def make(path: Path) -> None:
        write_report(backend.database, backend.settings, f"{name}@{version}", path)

    return await _turns(request).take(lambda: made_file(f"{name}-{version}.html", make))


def _turns(request: Request) -> Turns:
    """Those who have files written wait for each other."""
    turns: Turns = request.app.state.writing
    return turns


def _summary(backend: BackendDependency, text: str) -> ModelSummary:
    return backend.database.query(lambda session: summarise_model(session, find_trained(session, text)))
