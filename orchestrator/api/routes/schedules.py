"""Schedules: retraining again and again, and what became of each time."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from pydantic import Field

from core.types import CatchUp, RunTrigger
from db import schedules
from db.clock import read_now
from db.schedule_tables import ScheduleRunTable
from db.schedules import NewRun, add_run, get_schedule, remove_schedule
from orchestrator.api.backend import Backend, BackendDependency
from orchestrator.api.callers import Admin, Reader
from orchestrator.api.fields import Body, Id, Name, Source, Text
from orchestrator.rules import DEFAULT_PROMOTION_RULE
from orchestrator.scheduling.history import (
    HistoryEntry,
    ScheduleSummary,
    entry_of,
    history_of,
    summarise_schedule,
    summarise_schedules,
)
from orchestrator.scheduling.schedules import DEFAULT_TIME_ZONE, ScheduleRequest, make_schedule
from orchestrator.training import DatasetRequest

router = APIRouter(prefix="/schedules", tags=["schedules"])

ScheduleName = Annotated[
    str, PathParameter(max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$", description="What the schedule is called.")
]


class NewSchedule(Body):
    """When a model is trained again, on what, and when the new version is taken into use."""

    name: Name
    model: Name
    cron: Text = Field(examples=["0 3 * * *"])
    tz: Name = DEFAULT_TIME_ZONE
    data: Source | None = None
    when: Text | None = Field(default=None, examples=["new_labels>=50 or drift>0.2"])
    promote_if: Text = DEFAULT_PROMOTION_RULE
    catch_up: CatchUp = CatchUp.LATEST
    tune: bool = False
    relabel: Id | None = None
    classes: list[Name] | None = None
    image_column: Name | None = None
    label_column: Name | None = None

    def to_request(self) -> ScheduleRequest:
        """What the command line would have made of it."""
        dataset = None
        if self.data is not None:
            dataset = DatasetRequest(
                self.data,
                classes=None if self.classes is None else tuple(self.classes),
                image_column=self.image_column,
                label_column=self.label_column,
            )
        return ScheduleRequest(
            name=self.name,
            model=self.model,
            cron=self.cron,
            time_zone=self.tz,
            condition=self.when,
            promotion_rule=self.promote_if,
            dataset=dataset,
            catch_up=self.catch_up,
            tunes=self.tune,
            relabel_job_id=self.relabel,
        )


@router.get("")
def list_all(backend: BackendDependency, _: Reader) -> list[ScheduleSummary]:
    """List schedules and when they fire next."""
    return backend.database.query(lambda session: summarise_schedules(session, at_s=read_now(session)))


@router.post("", status_code=HTTPStatus.CREATED)
def add(backend: BackendDependency, _: Admin, body: NewSchedule) -> ScheduleSummary:
    """Add a schedule."""
    make_schedule(backend.database, backend.settings, body.to_request())
    return _summary(backend, body.name)


@router.get("/{name}")
def show(backend: BackendDependency, _: Reader, name: ScheduleName) -> ScheduleSummary:
    """Show one schedule."""
    return _summary(backend, name)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
def remove(backend: BackendDependency, _: Admin, name: ScheduleName) -> None:
    """Delete a schedule and its history; models and labels stay."""
    with backend.database.write() as session:
        remove_schedule(session, name)


@router.get("/{name}/history")
def show_history(backend: BackendDependency, _: Reader, name: ScheduleName) -> list[HistoryEntry]:
    """Show what became of each time: both scores, the rule, and why."""
    return backend.database.query(lambda session: history_of(session, get_schedule(session, name)))


@router.post("/{name}/run", status_code=HTTPStatus.ACCEPTED)
def run(backend: BackendDependency, _: Admin, name: ScheduleName) -> HistoryEntry:
    """Run a schedule at the next tick, whatever its times; its history says what became of it."""
    with backend.database.write() as session:
        schedule = get_schedule(session, name)
        now_s = read_now(session)
        run_id = add_run(session, schedule.id, NewRun(now_s, trigger=RunTrigger.MANUAL), at_s=now_s)
        return entry_of(session, session.get_one(ScheduleRunTable, run_id))


@router.post("/{name}/enable")
def enable(backend: BackendDependency, _: Admin, name: ScheduleName) -> ScheduleSummary:
    """Let a schedule fire again; what was due in between is passed over."""
    return _enable(backend, name, is_enabled=True)


@router.post("/{name}/disable")
def disable(backend: BackendDependency, _: Admin, name: ScheduleName) -> ScheduleSummary:
    """Let a schedule fire no more until it is enabled again."""
    return _enable(backend, name, is_enabled=False)


def _enable(backend: Backend, name: str, *, is_enabled: bool) -> ScheduleSummary:
    with backend.database.write() as session:
        schedules.enable(session, name, is_enabled=is_enabled, at_s=read_now(session))
    return _summary(backend, name)


def _summary(backend: Backend, name: str) -> ScheduleSummary:
    return backend.database.query(
        lambda session: summarise_schedule(session, get_schedule(session, name), at_s=read_now(session))
    )
