"""One version of a model: its curves, how good it is, and the images behind each cell of its confusion matrix."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from core.errors import UsageError
from db.model_tables import EvaluationTable
from db.results import class_labels
from db.samples import Cell, samples_in_cell
from orchestrator.api.paging import MAX_ID
from orchestrator.api.routes.models import Version
from orchestrator.dashboard.curves import confusions_of, curves_of
from orchestrator.dashboard.pages.models import ModelName
from orchestrator.dashboard.visits import ReaderVisit
from orchestrator.models import summarise_model
from orchestrator.naming import find_trained

router = APIRouter(prefix="/models/{name}/versions/{version}")

PAGE_SIZE = 48
Place = Annotated[int, Field(ge=0, le=MAX_ID)]


class CellQuery(BaseModel):
    """Which images somebody wants to see."""

    evaluation: Place
    true: Place  # class index
    predicted: Place  # likewise
    after: int = Field(default=-1, ge=-1, le=MAX_ID)


@router.get("")
def show(visit: ReaderVisit, name: ModelName, version: Version) -> Response:
    """The page."""
    with visit.backend.database.read() as session:
        model = find_trained(session, f"{name}@{version}")
        return visit.page(
            "version.html",
            name=name,
            version=version,
            model=summarise_model(session, model),
            curves=curves_of(session, [model]),
            confusions=confusions_of(session, model),
        )


@router.get("/cell")
def show_cell(visit: ReaderVisit, name: ModelName, version: Version, query: Annotated[CellQuery, Query()]) -> Response:
    """The images of one class that got one answer."""
    with visit.backend.database.read() as session:
        model = find_trained(session, f"{name}@{version}")
        measured = session.get(EvaluationTable, query.evaluation)
        labels = class_labels(session, model.id)
        if measured is None or measured.model_id != model.id or not {query.true, query.predicted} <= set(labels):
            raise UsageError(f"{model.label} has no such cell. Its page has those that there are.")
        job_id, cell = measured.job_id, Cell(query.true, query.predicted, measured.split)
        found = (
            []
            if job_id is None
            else samples_in_cell(session, job_id, model.id, cell, after=query.after, limit=PAGE_SIZE + 1)
        )
    return visit.page(
        "cell.html",
        name=name,
        version=version,
        query=query,
        job_id=job_id,
        true=labels[query.true].label,
        predicted=labels[query.predicted].label,
        images=found[:PAGE_SIZE],
        next_after=found[PAGE_SIZE - 1][0] if len(found) > PAGE_SIZE else None,
    )
