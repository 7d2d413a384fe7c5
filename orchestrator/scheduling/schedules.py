"""Making a schedule: everything that can be wrong with it is found before it is written."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.settings import Settings
from core.types import CatchUp, TrainMode
from db.clock import read_now
from db.database import Database
from db.ledger.control import get_job
from db.schedules import NewSchedule, add_schedule
from orchestrator.labels.classes import name_of_model
from orchestrator.naming import check_name
from orchestrator.retraining.learned import first_trained
from orchestrator.rules import DEFAULT_PROMOTION_RULE, parse_condition, parse_promotion
from orchestrator.scheduling.cron import FireTimes
from orchestrator.training import DatasetRequest
from workers.access import Access

DEFAULT_TIME_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """What a user asks `schedule add` to do."""

    name: str
    model: str
    cron: str
    time_zone: str = DEFAULT_TIME_ZONE
    condition: str | None = None
    promotion_rule: str = DEFAULT_PROMOTION_RULE
    dataset: DatasetRequest | None = None
    catch_up: CatchUp = CatchUp.LATEST
    tunes: bool = False
    relabel_job_id: int | None = None


def make_schedule(
    database: Database, settings: Settings, request: ScheduleRequest, *, at_s: float | None = None
) -> float:
    """Check a schedule and write it.

    Args:
        database: the ledger.
        settings: what may be read.
        request: the schedule.
        at_s: from when on it fires, in seconds since 1970; None: from now on, by the database's clock.

    Returns:
        When it fires first.

    Raises:
        UsageError: a part of it cannot be meant; the message says which.
    """
    check_name(request.name, of="schedule")
    times = FireTimes(request.cron, request.time_zone)
    new = _checked(database, settings, request, times)
    with database.write() as session:
        _require_fit(session, new)
        starts_at = read_now(session) if at_s is None else at_s
        first_at = times.next_after(starts_at)
        if first_at is None:
            raise UsageError(f"--cron {request.cron!r} never fires: there is no such day.")
        add_schedule(session, new, at_s=starts_at)
    return first_at


def _checked(database: Database, settings: Settings, request: ScheduleRequest, times: FireTimes) -> NewSchedule:
    """The schedule as it is stored: its rules in their usual form, its model by the name of all versions."""
    condition = None if request.condition is None else str(parse_condition(request.condition))
    rule = str(parse_promotion(request.promotion_rule))
    if request.dataset is not None:
        request.dataset.open(Access.of(settings))
    with database.read() as session:
        model = name_of_model(session, request.model)
    return NewSchedule(
        name=request.name,
        model=model,
        cron=times.cron,
        time_zone=times.time_zone,
        promotion_rule=rule,
        condition=condition,
        dataset=None if request.dataset is None else request.dataset.to_stored(),
        catch_up=request.catch_up,
        tunes=request.tunes,
        relabel_job_id=request.relabel_job_id,
    )


def _require_fit(session: Session, new: NewSchedule) -> None:
    """Make sure that a schedule suits its model and the job that it names."""
    first = first_trained(session, new.model)
    if new.tunes and first.mode is not TrainMode.HEAD:
        raise UsageError(f"--tune is for models in mode head; {new.model!r} is in mode {first.mode}. Leave it out.")
    if new.relabel_job_id is not None and get_job(session, new.relabel_job_id).kind.is_training:
        raise UsageError(f"--relabel {new.relabel_job_id} is a training. Expected a job of `labelyard label`.")
