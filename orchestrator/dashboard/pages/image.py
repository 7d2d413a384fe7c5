"""One image of a job: the picture, what the model says and why, what people say."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy.orm import Session

from core.errors import UnknownJobError
from core.items import locator_from_text
from core.types import AnnotationOrigin, NewClasses
from db.annotations import Annotation, annotations_of
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable, SampleTable
from db.results import LabelledImage, class_labels, read_one
from orchestrator.api.fields import JobId, Name
from orchestrator.api.paging import MAX_ID
from orchestrator.api.routes.results import choose_model
from orchestrator.dashboard.fields import MaybeText
from orchestrator.dashboard.rendering import is_value, link
from orchestrator.dashboard.visits import ReaderVisit, SubmitterVisit, go_to
from orchestrator.labels.classes import known_classes
from orchestrator.labels.recording import Taking, record
from orchestrator.labels.values import GivenLabel

router = APIRouter(prefix="/jobs/{job_id}/images/{ordinal}")
forms = APIRouter(prefix="/jobs/{job_id}/images/{ordinal}")

Ordinal = Annotated[int, Path(ge=0, le=MAX_ID)]
ModelText = Annotated[MaybeText, Field(max_length=300)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model gives one class."""

    label: str
    score: float
    explanation: str  # where its class-activation map is


@dataclass(frozen=True, slots=True)
class ImagePage:
    """All that the page shows of one image."""

    image: LabelledImage
    model: str
    models: list[str]
    num_images: int
    answers: list[Answer]
    dataset_says: tuple[str, str | None] | None  # a class, and what the image was used as
    said: list[Annotation]  # by people, oldest first; the last one counts
    classes: list[str]  # that people may choose from; empty: nobody can label for this model


@router.get("")
def show(
    visit: ReaderVisit,
    job_id: JobId,
    ordinal: Ordinal,
    *,
    model: Annotated[ModelText, Query()] = None,
    explain: Annotated[MaybeText, Query(max_length=1000)] = None,
    done: Annotated[MaybeText, Query(max_length=20)] = None,
) -> Response:
    """The page; with `explain`, the picture is covered by what spoke for that class."""
    with visit.backend.database.read() as session:
        page = _read(session, job_id, ordinal, model)
    explained = next((each for each in page.answers if explain is not None and is_value(explain, each.label)), None)
    said = "Your label is written. It counts from now on." if done == "labelled" else None
    return visit.page("image.html", job_id=job_id, ordinal=ordinal, page=page, explained=explained, said=said)


@forms.post("/label")
def label(
    visit: SubmitterVisit,
    job_id: JobId,
    ordinal: Ordinal,
    *,
    model: Annotated[Name, Form()],
    label: Annotated[Name, Form()],
    is_new: Annotated[bool, Form()] = False,
) -> Response:
    """Say what the image shows."""
    with visit.backend.database.read() as session:
        chosen = choose_model(session, job_id, model)
        image = _image(session, job_id, chosen, ordinal)
    given = GivenLabel(
        where=image.name,
        image=image.name,
        # What the job has seen is known by its content; what it has not is read now.
        locator=None if image.sha256 else locator_from_text(image.locator),
        label=label.strip(),
        sha256=image.sha256,
    )
    taking = Taking(
        chosen.name,
        visit.caller.name,
        AnnotationOrigin.ADDED,
        new_classes=NewClasses.ADD if is_new else NewClasses.ASK,
    )
    record(visit.backend.database, visit.backend.settings, [given], taking)
    return go_to(f"/jobs/{job_id}/images/{ordinal}", model=model, done="labelled")


def _read(session: Session, job_id: int, ordinal: int, model: str | None) -> ImagePage:
    chosen = choose_model(session, job_id, model)
    image = _image(session, job_id, chosen, ordinal)
    labels = class_labels(session, chosen.id)
    where = f"/api/v1/jobs/{job_id}/images/{ordinal}/explanation"
    answers = [
        Answer(labels[index].label, score, link(where, model=chosen.label, label=labels[index].label))
        for index, score in image.topk
    ]
    sample = session.get(SampleTable, (job_id, ordinal))
    is_ours = chosen.mode is not None and chosen.ready_at is not None
    return ImagePage(
        image=image,
        model=chosen.label,
        models=[each.label for each in models_of(session, job_id)],
        num_images=get_job(session, job_id).num_planned,
        answers=answers,
        dataset_says=None
        if sample is None or sample.class_index not in labels
        else (labels[sample.class_index].label, sample.used_as),
        said=annotations_of(session, chosen.name, sha256s=[image.sha256]) if is_ours and image.sha256 else [],
        classes=known_classes(session, chosen.name) if is_ours else [],
    )


def _image(session: Session, job_id: int, model: ModelTable, ordinal: int) -> LabelledImage:
    image = read_one(session, job_id, model.id, ordinal)
    if image is None:
        raise UnknownJobError(f"Job {job_id} has no image {ordinal}.")
    return image
