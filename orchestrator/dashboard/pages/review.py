"""The review: images that are worth a look, one at a time. The page's script asks the API for them, and answers it."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from core.types import Strategy
from db.label_tables import ReviewTable
from db.models import label_of
from db.results import class_labels, read_one
from orchestrator.api.fields import Id
from orchestrator.dashboard.choices import recent_jobs, trained_names
from orchestrator.dashboard.fields import Blank
from orchestrator.dashboard.rendering import to_value
from orchestrator.dashboard.visits import ReaderVisit, SubmitterVisit
from orchestrator.labels.classes import known_classes, name_of_model
from orchestrator.review.handing_out import open_reviews

router = APIRouter(prefix="/review")

ModelName = Annotated[str, Path(max_length=200, pattern=r"^[^@/\x00-\x1f\x7f]+$")]
# Images that are asked for at a time; the next ones are asked for before these are through.
BATCH_SIZE = 20
# Of those that were handed out and never answered, as many are taken up again at once.
MAX_OPEN = 200
# Jobs that are offered for each model, the newest first.
MAX_JOBS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as the page's script gets it from the API, or from the page."""

    image: str
    label: str | None
    score: float | None
    second: str | None
    model: str
    job_id: int
    ordinal: int
    sha256: str


@router.get("")
def choose(visit: ReaderVisit) -> Response:
    """The models that images can be looked at for."""
    with visit.backend.database.read() as session:
        models = [
            (name, known_classes(session, name), len(open_reviews(session, name)), recent_jobs(session, name, MAX_JOBS))
            for name in trained_names(session)
        ]
    return visit.page("review.html", models=models, strategies=list(Strategy))


@router.get("/{model}")
def look(
    visit: SubmitterVisit,
    model: ModelName,
    *,
    strategy: Annotated[Strategy, Query()] = Strategy.MIXED,
    job: Annotated[Id | None, Blank, Query()] = None,
    again: Annotated[bool, Query()] = False,
) -> Response:
    """The screen; with `again`, it begins with images that were handed out and never answered."""
    with visit.backend.database.read() as session:
        name = name_of_model(session, model)
        classes = [to_value(each) for each in known_classes(session, name)]
        never_answered = open_reviews(session, name)
        open_ones = [_shown(session, review) for review in never_answered[:MAX_OPEN]] if again else []
    order: dict[str, Any] = {"model": name, "strategy": strategy, "count": BATCH_SIZE}
    return visit.page(
        "review_screen.html",
        model=name,
        order=json.dumps(order if job is None else order | {"job": job}),
        classes=json.dumps(classes),
        num_open=len(never_answered) - len(open_ones),
        images=json.dumps([asdict(each) for each in open_ones]),
    )


def _shown(session: Session, review: ReviewTable) -> Shown:
    image = read_one(session, review.job_id, review.model_id, review.ordinal)
    labels = class_labels(session, review.model_id)
    best = [] if image is None else [(to_value(labels[index].label), score) for index, score in image.topk[:2]]
    return Shown(
        image=to_value(review.name),
        label=best[0][0] if best else None,
        score=best[0][1] if best else None,
        second=best[1][0] if len(best) > 1 else None,
        model=label_of(session, review.model_id) or review.model,
        job_id=review.job_id,
        ordinal=review.ordinal,
        sha256=review.sha256,
    )
