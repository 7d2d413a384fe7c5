"""What in an image speaks for a class: painted over the image, or as numbers."""

from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from orchestrator.api.answers import Answer
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Reader
from orchestrator.api.fields import JobId, Name, Parameters, Text
from orchestrator.api.routes.pictures import (
    CACHE_CONTROL,
    MAX_SIZE,
    MIN_SIZE,
    Ordinal,
    PicturesDependency,
    known_keys,
    locate,
    picture_response,
    picture_responses,
    refusing,
)
from orchestrator.api.routes.results import choose_model
from orchestrator.pictures.explaining import Explained, Question, read_question

router = APIRouter(prefix="/jobs/{job_id}/images/{ordinal}", tags=["pictures"])

DEFAULT_SIZE = 640


class Form(StrEnum):
    """What an explanation comes as."""

    PNG = "png"
    JSON = "json"


class ExplanationQuery(Parameters):
    """What is to be explained."""

    model: Name | None = Field(default=None, description="Of the job's models; its first, if not said.")
    label: Text | None = Field(
        default=None, description="A class by name or id; the likeliest, if not said, or of several of that name."
    )
    size: int = Field(
        default=DEFAULT_SIZE, ge=MIN_SIZE, le=MAX_SIZE, description="The longer side, in pixels, at the most."
    )
    form: Form | None = Field(default=None, alias="format", description="If not said, what the header Accept prefers.")


class MapBox(BaseModel):
    """Where on the upright image the map lies, in pixels; it may reach beyond the image."""

    top: float
    left: float
    height: float
    width: float


class Explanation(BaseModel):
    """What in an image speaks for a class."""

    model: str
    label: str
    label_id: str
    score: float = Field(description="The class's probability, 0 to 1.")
    logit: float = Field(description="What the probability is made of.")
    bias: float = Field(description="The part of the logit that no image changes.")
    map: list[list[float]] = Field(
        description="By row and column: what each part speaks for the class, or against it where negative."
    )
    box: MapBox
    height: int = Field(description="Of the upright image, in pixels.")
    width: int = Field(description="Of the upright image, in pixels.")


_RESPONSES = picture_responses(
    {"image/png": {}, "application/json": {"schema": {"$ref": "#/components/schemas/Explanation"}}}
)
_RESPONSES[HTTPStatus.OK.value]["model"] = Explanation


@router.get("/explanation", response_class=Response, responses=_RESPONSES)
async def explain(
    request: Request,
    backend: BackendDependency,
    pictures: PicturesDependency,
    _: Reader,
    job_id: JobId,
    ordinal: Ordinal,
    query: Annotated[ExplanationQuery, Query()],
) -> Response:
    """Tell which parts of an image speak for a class (Grad-CAM): a picture, or numbers."""

    def ask(session: Session) -> tuple[str, Question]:
        chosen = choose_model(session, job_id, query.model)
        return chosen.label, read_question(session, job_id, locate(session, job_id, ordinal), chosen, query.label)

    name, question = await run_in_threadpool(backend.database.query, ask)
    if _is_json(request, query.form):
        numbers = partial(pictures.explanations.numbers, question)
        explained = await pictures.explaining_turns.take(partial(refusing, numbers))
        headers = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept"}
        return Answer(_to_answer(name, explained).model_dump(), headers=headers)
    make = partial(pictures.explanations.picture, question, query.size, known=known_keys(request))
    return picture_response(await pictures.explaining_turns.take(partial(refusing, make)), "image/png")


def _is_json(request: Request, form: Form | None) -> bool:
    if form is not None:
        return form is Form.JSON
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "image/" not in accepted


def _to_answer(model: str, explained: Explained) -> Explanation:
    found, box = explained.explanation, explained.box
    height, width = explained.full_hw
    return Explanation(
        model=model,
        label=explained.label.label,
        label_id=explained.label.label_id,
        score=found.score,
        logit=found.logit,
        bias=found.bias,
        map=found.contributions.tolist(),
        box=MapBox(top=box.top, left=box.left, height=box.height, width=box.width),
        height=height,
        width=width,
    )
