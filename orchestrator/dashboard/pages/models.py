"""Models: what there is, versions side by side, which one is in use."""

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from core.errors import UnknownModelError
from core.types import Scope
from db.models import list_models
from db.promotions import can_roll_back, roll_back
from db.promotions import promote as take_into_use
from orchestrator.api.routes.models import Version
from orchestrator.comparing import compare_models
from orchestrator.dashboard.curves import curves_of
from orchestrator.dashboard.fields import MaybeText
from orchestrator.dashboard.visits import AdminVisit, ReaderVisit, go_to
from orchestrator.models import summarise_model, summarise_models
from orchestrator.naming import find_trained

router = APIRouter(prefix="/models")
forms = APIRouter(prefix="/models")

ModelName = Annotated[str, Path(max_length=200, pattern=r"^[^@/\x00-\x1f\x7f]+$")]
VersionText = Annotated[str, Query(max_length=300)]
DONE = {
    "promote": "This version is in use now.",
    "rollback": "The version before is in use again.",
}


@router.get("")
def show(visit: ReaderVisit) -> Response:
    """All names, each with the version in use."""
    summaries = visit.backend.database.query(summarise_models)
    names = []
    for name, group in groupby(summaries, key=lambda one: one.model.partition("@")[0]):
        versions = list(group)
        names.append((name, versions, next((one for one in versions if one.state == "champion"), None)))
    return visit.page("models.html", names=names)


@router.get("/compare")
def compare(visit: ReaderVisit, *, first: VersionText, second: VersionText) -> Response:
    """Two versions side by side, on images that neither has learned from."""
    with visit.backend.database.read() as session:
        comparison = compare_models(session, first, second)
        models = [find_trained(session, text) for text in (comparison.first.model, comparison.second.model)]
        curves = curves_of(session, models)
    return visit.page("compare.html", comparison=comparison, curves=curves)


@router.get("/{name}")
def show_name(
    visit: ReaderVisit, name: ModelName, *, done: Annotated[MaybeText, Query(max_length=20)] = None
) -> Response:
    """All versions of one name."""
    with visit.backend.database.read() as session:
        versions = [summarise_model(session, model) for model in list_models(session, name=name)]
        may_roll_back = visit.may(Scope.ADMIN) and can_roll_back(session, name)
    if not versions:
        raise UnknownModelError(f"No model called {name!r} was trained here.")
    said = DONE.get(done or "")
    return visit.page("model.html", name=name, versions=versions, may_roll_back=may_roll_back, said=said)


@forms.post("/{name}/versions/{version}/promote")
def promote(visit: AdminVisit, name: ModelName, version: Version) -> Response:
    """Take a version into use."""
    with visit.backend.database.write() as session:
        take_into_use(session, find_trained(session, f"{name}@{version}"))
    return go_to(f"/models/{name}", done="promote")


@forms.post("/{name}/rollback")
def rollback(visit: AdminVisit, name: ModelName) -> Response:
    """Take the champion before the present one into use again."""
    with visit.backend.database.write() as session:
        find_trained(session, name)
        roll_back(session, name)
    return go_to(f"/models/{name}", done="rollback")
