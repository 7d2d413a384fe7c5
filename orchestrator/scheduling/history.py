"""What there is to say about schedules and what became of them, as frozen values to print or to dump.

Knows nothing of terminals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.label_tables import DatasetTable
from db.model_tables import PromotionTable
from db.models import label_of
from db.schedule_tables import ScheduleRunTable, ScheduleTable
from db.schedules import list_schedules, runs_of
from orchestrator.scheduling.cron import FireTimes

ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class ScheduleSummary:
    """One schedule."""

    name: str
    model: str
    cron: str
    time_zone: str
    is_enabled: bool
    next_at: float | None  # seconds since 1970; None: it is disabled
    condition: str | None
    promotion_rule: str
    dataset: str | None  # as the user called it
    catch_up: str
    tunes: bool
    relabel_job_id: int | None
    last_state: str | None  # of its newest run
    last_at: float | None  # when that was due

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One decision: what became of a fire time, or a person's rollback."""

    at: float  # when it was due, in seconds since 1970
    trigger: str  # cron, manual; of a rollback: a person
    outcome: str  # core.types.RunState, or "rolled back"
    reason: str | None
    champion: str | None
    challenger: str | None
    dataset: int | None  # its version
    verdict: Mapping[str, Any] | None  # both scores with their intervals, and the rule
    facts: Mapping[str, Any] | None  # what the condition was asked about
    jobs: tuple[int, ...]  # train, compare
    relabel_job_id: int | None  # the job that labelled again with the new champion
    ended_at: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def summarise_schedules(session: Session, *, at_s: float) -> list[ScheduleSummary]:
    """All schedules, by name."""
    return [summarise_schedule(session, schedule, at_s=at_s) for schedule in list_schedules(session)]


def summarise_schedule(session: Session, schedule: ScheduleTable, *, at_s: float) -> ScheduleSummary:
    """Look at one schedule."""
    last = runs_of(session, schedule.id, limit=1)
    times = FireTimes(schedule.cron, schedule.time_zone)
    return ScheduleSummary(
        name=schedule.name,
        model=schedule.model,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        is_enabled=schedule.is_enabled,
        next_at=times.next_after(at_s) if schedule.is_enabled else None,
        condition=schedule.condition,
        promotion_rule=schedule.promotion_rule,
        dataset=None if schedule.dataset is None else schedule.dataset["text"],
        catch_up=str(schedule.catch_up),
        tunes=schedule.tunes,
        relabel_job_id=schedule.relabel_job_id,
        last_state=str(last[0].state) if last else None,
        last_at=last[0].fire_at if last else None,
    )


def history_of(session: Session, schedule: ScheduleTable) -> list[HistoryEntry]:
    """What became of a schedule's fire times, and rollbacks of its model, oldest first."""
    runs = [entry_of(session, run) for run in runs_of(session, schedule.id)]
    return sorted([*runs, *_rollbacks(session, schedule)], key=lambda entry: (entry.at, entry.ended_at or entry.at))


def entry_of(session: Session, run: ScheduleRunTable) -> HistoryEntry:
    """What became of one fire time."""
    dataset = None if run.dataset_id is None else session.get(DatasetTable, run.dataset_id)
    return HistoryEntry(
        at=run.fire_at,
        trigger=str(run.trigger),
        outcome=str(run.state),
        reason=run.reason,
        champion=label_of(session, run.champion_id),
        challenger=label_of(session, run.challenger_id),
        dataset=None if dataset is None else dataset.version,
        verdict=run.verdict,
        facts=run.facts,
        jobs=tuple(job for job in (run.train_job_id, run.compare_job_id) if job is not None),
        relabel_job_id=run.relabel_job_id,
        ended_at=run.ended_at,
    )


def _rollbacks(session: Session, schedule: ScheduleTable) -> Sequence[HistoryEntry]:
    rows = session.scalars(
        select(PromotionTable)
        .where(
            PromotionTable.name == schedule.model,
            PromotionTable.rolled_back_at.is_not(None),
            PromotionTable.rolled_back_at >= schedule.created_at,
        )
        .order_by(PromotionTable.id)
    )
    return [
        HistoryEntry(
            at=row.rolled_back_at or 0.0,
            trigger="a person",
            outcome=ROLLED_BACK,
            reason=f"{label_of(session, row.model_id)} is not in use any more; the champion before it is.",
            champion=None,
            challenger=label_of(session, row.model_id),
            dataset=None,
            verdict=None,
            facts=None,
            jobs=(),
            relabel_job_id=None,
            ended_at=row.rolled_back_at,
        )
        for row in rows
    ]
