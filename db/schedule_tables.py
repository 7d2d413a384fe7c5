"""The tables of scheduled retraining: schedules, what became of each of their fire times, and who is told."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import CatchUp, Channel, Event, RunState, RunTrigger
from db.base import Base, BigId, FileName, word


class ScheduleTable(Base):
    """When a model is trained again, and when the new version is taken into use."""

    __tablename__ = "schedule"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    model: Mapped[str] = mapped_column(String(200))  # the name that its versions share
    cron: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(100))
    dataset: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # looked at anew each time; null: labels alone
    condition: Mapped[str | None] = mapped_column(Text)  # orchestrator.rules; null: always
    promotion_rule: Mapped[str] = mapped_column(Text)  # orchestrator.rules
    catch_up: Mapped[CatchUp] = mapped_column(word(CatchUp))
    tunes: Mapped[bool] = mapped_column(Boolean)  # whether settings are searched for
    relabel_job_id: Mapped[int | None] = mapped_column(BigInteger)  # labelled again after a promotion
    is_enabled: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[float] = mapped_column(Float(53))
    considered_until: Mapped[float] = mapped_column(Float(53))  # fire times up to here have their rows


class ScheduleRunTable(Base):
    """What became of one fire time of a schedule."""

    __tablename__ = "schedule_run"
    __table_args__ = (UniqueConstraint("schedule_id", "fire_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id", ondelete="CASCADE"))
    fire_at: Mapped[float] = mapped_column(Float(53))  # when it was due; of a manual run, when it was asked for
    trigger: Mapped[RunTrigger] = mapped_column(word(RunTrigger))
    state: Mapped[RunState] = mapped_column(word(RunState))
    reason: Mapped[str | None] = mapped_column(FileName)  # a sentence: why it is in this state
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what the condition was asked about
    dataset_id: Mapped[int | None] = mapped_column(BigInteger)
    train_job_id: Mapped[int | None] = mapped_column(BigInteger)
    compare_job_id: Mapped[int | None] = mapped_column(BigInteger)
    relabel_job_id: Mapped[int | None] = mapped_column(BigInteger)  # the job that labelled again with the new champion
    champion_id: Mapped[int | None] = mapped_column(BigInteger)  # the version in use when it was decided
    challenger_id: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # both scores, the rule, the intervals
    created_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))


Index(
    "ix_schedule_run_unfinished",
    ScheduleRunTable.id,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)


class NotificationTable(Base):
    """Something that someone is told, by one channel; written with what it tells, delivered afterwards."""

    __tablename__ = "notification"
    __table_args__ = (UniqueConstraint("event", "subject", "channel"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event: Mapped[Event] = mapped_column(word(Event))
    subject: Mapped[str] = mapped_column(String(200))  # what it is about: one event of one subject is told once
    channel: Mapped[Channel] = mapped_column(word(Channel))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float(53))
    attempts: Mapped[int] = mapped_column(Integer)
    next_try_at: Mapped[float | None] = mapped_column(Float(53))  # null: delivered, or given up
    delivered_at: Mapped[float | None] = mapped_column(Float(53))
    problem: Mapped[str | None] = mapped_column(Text)  # of the last attempt; a sentence


Index(
    "ix_notification_due",
    NotificationTable.next_try_at,
    sqlite_where=text("next_try_at IS NOT NULL"),
    postgresql_where=text("next_try_at IS NOT NULL"),
)
