"""Schedules: what is trained again and when, what became of each time, and the buttons that change it."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from core.errors import LabelyardError
from core.types import CatchUp, RunTrigger
from db import schedules
from db.clock import read_now
from db.schedules import NewRun, add_run, get_schedule, remove_schedule
from orchestrator.api.fields import Id, Name, Source, Text
from orchestrator.api.routes.schedules import NewSchedule
from orchestrator.dashboard.choices import trained_names
from orchestrator.dashboard.fields import Blank, MaybeText, Typed
from orchestrator.dashboard.pages.train import describe
from orchestrator.dashboard.visits import AdminVisit, ReaderVisit, Visit, go_to
from orchestrator.rules import DEFAULT_PROMOTION_RULE
from orchestrator.scheduling.history import history_of, summarise_schedule, summarise_schedules
from orchestrator.scheduling.schedules import DEFAULT_TIME_ZONE, ScheduleRequest, make_schedule

router = APIRouter(prefix="/schedules")
forms = APIRouter(prefix="/schedules")

ScheduleName = Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]
DONE = {
    "add": "The schedule is there.",
    "run": "It runs at the next look at the schedules, within half a minute or so.",
    "enable": "It fires again; what was due in between is passed over.",
    "disable": "It fires no more until it is enabled again.",
    "remove": "The schedule and its history are deleted. Models and labels stay.",
}
_EMPTY = {
    "name": "",
    "model": "",
    "cron": "0 3 * * *",
    "tz": DEFAULT_TIME_ZONE,
    "data": "",
    "when": "",
    "promote_if": DEFAULT_PROMOTION_RULE,
    "catch_up": str(CatchUp.LATEST),
    "tune": "",
    "relabel": "",
}


class ScheduleForm(BaseModel):
    """When a model is trained again, on what, and when the new version is taken into use."""

    name: Name
    model: Name
    cron: Text
    tz: Name = DEFAULT_TIME_ZONE
    data: Annotated[Source | None, Blank] = None
    when: Annotated[Text | None, Blank] = None
    promote_if: Text = DEFAULT_PROMOTION_RULE
    catch_up: CatchUp = CatchUp.LATEST
    tune: bool = False
    relabel: Annotated[Id | None, Field(default=None), Blank] = None

    def to_request(self) -> ScheduleRequest:
        """What the API would have made of it; what a form does not ask for is as it is there."""
        return NewSchedule.model_construct(**dict(self)).to_request()


@router.get("")
def show(visit: ReaderVisit, *, done: Annotated[MaybeText, Query(max_length=20)] = None) -> Response:
    """All schedules, and the form for another."""
    return _page(visit, {}, said=DONE.get(done or ""))


@router.get("/{name}")
def show_one(
    visit: ReaderVisit, name: ScheduleName, *, done: Annotated[MaybeText, Query(max_length=20)] = None
) -> Response:
    """One schedule with its history, the newest first."""
    with visit.backend.database.read() as session:
        found = get_schedule(session, name)
        schedule = summarise_schedule(session, found, at_s=read_now(session))
        history = history_of(session, found)[::-1]
    return visit.page("schedule.html", schedule=schedule, history=history, said=DONE.get(done or ""))


@forms.post("")
def add(visit: AdminVisit, form: Typed) -> Response:
    """Add one."""
    try:
        request = ScheduleForm.model_validate(form).to_request()
        make_schedule(visit.backend.database, visit.backend.settings, request)
    except (LabelyardError, ValidationError) as error:
        return _page(visit, form, problem=describe(error))
    return go_to(f"/schedules/{request.name}", done="add")


@forms.post("/{name}/run")
def run(visit: AdminVisit, name: ScheduleName) -> Response:
    """Run it at the next look, whatever its times."""
    with visit.backend.database.write() as session:
        schedule, now_s = get_schedule(session, name), read_now(session)
        add_run(session, schedule.id, NewRun(now_s, trigger=RunTrigger.MANUAL), at_s=now_s)
    return go_to(f"/schedules/{name}", done="run")


@forms.post("/{name}/enable")
def enable(visit: AdminVisit, name: ScheduleName) -> Response:
    """Let it fire again."""
    return _enable(visit, name, is_enabled=True)


@forms.post("/{name}/disable")
def disable(visit: AdminVisit, name: ScheduleName) -> Response:
    """Let it fire no more."""
    return _enable(visit, name, is_enabled=False)


@forms.post("/{name}/remove")
def remove(visit: AdminVisit, name: ScheduleName) -> Response:
    """Delete it and its history."""
    visit.backend.database.transact(lambda session: remove_schedule(session, name))
    return go_to("/schedules", done="remove")


def _enable(visit: Visit, name: str, *, is_enabled: bool) -> Response:
    with visit.backend.database.write() as session:
        schedules.enable(session, name, is_enabled=is_enabled, at_s=read_now(session))
    return go_to(f"/schedules/{name}", done="enable" if is_enabled else "disable")


def _page(visit: Visit, form: dict[str, Any], *, problem: str | None = None, said: str | None = None) -> Response:
    with visit.backend.database.read() as session:
        found = summarise_schedules(session, at_s=read_now(session))
        names = trained_names(session)
    return visit.page(
        "schedules.html",
        status=HTTPStatus.OK if problem is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        schedules=found,
        names=names,
        form=_EMPTY | form,
        problem=problem,
        said=said,
    )
