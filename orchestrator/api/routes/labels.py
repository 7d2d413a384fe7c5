"""Labels: what people say that images show, said one by one, or brought and taken as files."""

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import Field

from core.errors import UsageError
from core.types import AnnotationOrigin, NewClasses, Split
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Reader, Submitter
from orchestrator.api.fields import Body, Name, Parameters, Text, is_whole
from orchestrator.api.made_files import made_file
from orchestrator.api.paging import MAX_ID
from orchestrator.api.receiving import received_file
from orchestrator.datasets.manifests import Columns
from orchestrator.labels.exporting import LabelExport, LabelFormat, export_labels
from orchestrator.labels.listing import ListedLabel, list_labels
from orchestrator.labels.reading import LabelFile
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.single import one_label
from orchestrator.labels.values import GivenLabel, ImportReport
from workers.access import Access

router = APIRouter(prefix="/labels", tags=["labels"])

MAX_LABELS = 10_000
MAX_FILE_BYTES = 256 * 1024**2
ModelQuery = Annotated[Name | None, Query(description="Whose labels; the only model's, if not said.")]


class NewLabel(Body):
    """What one image shows."""

    image: Text = Field(description="Its name in a job, or an absolute path of the server's.")
    label: Name
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="The content that is meant.")


class NewLabels(Body):
    """What images show; all of them are taken, or none."""

    labels: list[NewLabel] = Field(min_length=1, max_length=MAX_LABELS)
    model: Name | None = None
    by: Name | None = None
    split: Split | None = Field(default=None, description="`test`: the images are for measuring, for ever.")
    new_classes: NewClasses = NewClasses.ASK


class ImportQuery(Parameters):
    """How a file of labels is to be understood."""

    name: str = Field(
        max_length=200, pattern=r"^[^/\x00-\x1f\x7f]+\.(csv|jsonl|parquet|json)$", description="The file's."
    )
    model: Name | None = Field(default=None, description="Whose labels; the only model's, if not said.")
    by: Name | None = Field(default=None, description="Who says so; whoever asks, if not said.")
    split: Split | None = Field(default=None, description="`test`: the images are for measuring, for ever.")
    new_classes: NewClasses = Field(default=NewClasses.ASK, description="What becomes of new classes.")
    image_column: Name | None = Field(default=None, description="The column that names images.")
    label_column: Name | None = Field(default=None, description="The column that holds labels.")


@router.get("")
def list_all(
    backend: BackendDependency,
    _: Reader,
    *,
    model: ModelQuery = None,
    conflicts: Annotated[bool, Query(description="Only images that people disagree about.")] = False,
    image: Annotated[
        Text | None, Query(description="All that was ever said of the image of this name or hash.")
    ] = None,
) -> list[ListedLabel]:
    """List labels: the newest of each person for each image; the last one counts."""
    return backend.database.query(
        lambda session: list_labels(session, model, only_conflicts=conflicts, image=image, content=image)
    )


@router.post("", status_code=HTTPStatus.CREATED)
def add(backend: BackendDependency, caller: Submitter, body: NewLabels) -> ImportReport:
    """Say what images show."""
    given = [_given(backend, f"labels.{number}", label) for number, label in enumerate(body.labels)]
    taking = Taking(body.model, body.by or caller.name, AnnotationOrigin.ADDED, _for_test(body.split), body.new_classes)
    return record(backend.database, backend.settings, given, taking)


@router.post(
    "/import",
    status_code=HTTPStatus.CREATED,
    max_body_size=MAX_FILE_BYTES,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def import_file(
    request: Request,
    backend: BackendDependency,
    caller: Submitter,
    query: Annotated[ImportQuery, Query()],
) -> ImportReport:
    """Take labels in from a table, or from tasks of Label Studio; all of them, or none if something is wrong."""
    taking = Taking(
        query.model, query.by or caller.name, AnnotationOrigin.IMPORTED, _for_test(query.split), query.new_classes
    )
    columns = Columns(query.image_column, query.label_column)

    def use(path: Path) -> ImportReport:
        given = LabelFile(str(path), columns).read(_with(path.parent, Access.of(backend.settings)))
        return record(backend.database, backend.settings, given, taking)

    # Only how the name ends says anything; as a whole it may be longer than the system takes.
    ending = query.name.rpartition(".")[2]
    return await received_file(request, f"labels.{ending}", MAX_FILE_BYTES, use)


@router.get("/export", response_class=FileResponse)
def export(
    backend: BackendDependency,
    _: Reader,
    *,
    model: ModelQuery = None,
    label_format: Annotated[LabelFormat, Query(alias="format")] = LabelFormat.CSV,
    job: Annotated[
        int | None, Query(ge=1, le=MAX_ID, description="Label Studio: this job's predictions go along.")
    ] = None,
) -> FileResponse:
    """Send labels as a file for other programs."""
    return made_file(
        f"labels{label_format.ending}",
        lambda path: export_labels(backend.database, LabelExport(label_format, path, model, job)),
    )


def _given(backend: BackendDependency, where: str, label: NewLabel) -> GivenLabel:
    if is_whole(label.image):
        return replace(one_label(label.image, label.label, backend.settings), where=where, sha256=label.sha256)
    # A path that is relative to the server's working folder means nothing to those who ask.
    return GivenLabel(where=where, image=label.image, locator=None, label=label.label.strip(), sha256=label.sha256)


def _for_test(split: Split | None) -> Split | None:
    if split not in (None, Split.TEST):
        raise UsageError(f"split: received {split!r}. Expected test; which images are learned from is decided later.")
    return split


def _with(folder: Path, access: Access) -> Access:
    """The same access, to a folder too."""
    return replace(access, roots=(*access.roots, str(folder.resolve()))) if access.roots else access
