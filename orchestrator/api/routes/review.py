"""Review: the images that are most worth a human look."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from core.types import Strategy
from db.models import label_of
from orchestrator.api.backend import BackendDependency
from orchestrator.api.callers import Reader, Submitter
from orchestrator.api.fields import Body, Id, Name
from orchestrator.labels.classes import name_of_model
from orchestrator.review.handing_out import HandedOut, ReviewRequest, hand_out, open_reviews

router = APIRouter(prefix="/review", tags=["review"])


class NextImages(Body):
    """How many images, of what, chosen how."""

    model: Name | None = None
    job: Id | None = None
    count: int = Field(default=20, ge=1, le=5000)
    strategy: Strategy = Strategy.MIXED
    per_class: int | None = Field(default=None, ge=1, le=5000)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)


class OpenReview(BaseModel):
    """An image that was handed out and has no label yet."""

    image: str
    sha256: str
    model: str
    job_id: int
    ordinal: int
    shown_at: float = Field(description="Seconds since 1970.")


@router.post("/next")
def hand_out_next(backend: BackendDependency, _: Submitter, body: NextImages) -> list[HandedOut]:
    """Hand out the images that are most worth a look; none of them comes twice."""
    with backend.database.read() as session:
        name = name_of_model(session, body.model)
    return hand_out(
        backend.database, ReviewRequest(name, body.job, body.count, body.strategy, body.per_class, body.seed)
    )


@router.get("/open")
def list_open(
    backend: BackendDependency,
    _: Reader,
    model: Annotated[Name | None, Query(description="Whose images; the only model's, if not said.")] = None,
) -> list[OpenReview]:
    """List images that were handed out and have no label yet."""
    with backend.database.read() as session:
        return [
            OpenReview(
                image=review.name,
                sha256=review.sha256,
                model=label_of(session, review.model_id) or f"{review.model}@?",
                job_id=review.job_id,
                ordinal=review.ordinal,
                shown_at=review.shown_at,
            )
            for review in open_reviews(session, name_of_model(session, model))
        ]
