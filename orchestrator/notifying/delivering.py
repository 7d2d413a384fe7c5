"""Delivering what is due: each message is claimed, sent, and what came of it noted; tried again later and later.

What is left of a sender that dies is sent again by the next, with the same id; so a message arrives at least once.
Of each channel a round ends at its first failure: a receiver that hangs costs one time-out, not one for each message.
"""

import random
from dataclasses import dataclass
from functools import partial

import structlog

from core.errors import UsageError
from core.settings import Settings
from core.types import Channel
from db.clock import read_now
from db.database import Database
from db.notifications import claim_due, key_of, report
from db.schedule_tables import NotificationTable
from orchestrator.notifying.channels import Answer, Message, Outcome, channels_of, sender_of
from orchestrator.notifying.telling import tell_of_ended_jobs, untold_jobs

logger = structlog.get_logger(__name__)

AT_ONCE = 20
FIRST_WAIT_S, MAX_WAIT_S = 15.0, 6 * 3600.0
GIVE_UP_AFTER_S = 3 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one round came to."""

    num_told: int = 0  # jobs that had ended
    num_delivered: int = 0
    num_failed: int = 0


def notify_and_deliver(database: Database, settings: Settings, *, at_s: float | None = None) -> DeliveryReport:
    """Look for jobs that have ended, and send what is due.

    Args:
        database: where the outbox is.
        settings: who is told, and how.
        at_s: when this is, in seconds since 1970; None: now, by the database's clock.

    Raises:
        DatabaseError: it does not answer; the next round goes on.
    """
    if not channels_of(settings):
        return DeliveryReport()
    num_told = _tell_of_ended_jobs(database, settings, at_s=_now(database, at_s))
    outcomes: list[Outcome] = []
    in_trouble: set[Channel] = set()
    while len(outcomes) < AT_ONCE:
        # One at a time and at its own time: claims run out, and receivers refuse signatures that are old.
        now_s = _now(database, at_s)
        claimed = database.transact(partial(claim_due, at_s=now_s, limit=1, without=in_trouble))
        if not claimed:
            break
        outcomes.append(_deliver(database, settings, claimed[0], at_s=now_s))
        if outcomes[-1].answer is Answer.TRY_AGAIN:
            in_trouble.add(claimed[0].channel)
    num_delivered = sum(outcome.answer is Answer.DELIVERED for outcome in outcomes)
    return DeliveryReport(num_told, num_delivered, len(outcomes) - num_delivered)


def _now(database: Database, at_s: float | None) -> float:
    return database.query(read_now) if at_s is None else at_s


def _tell_of_ended_jobs(database: Database, settings: Settings, *, at_s: float) -> int:
    # Looking does not keep SQLite's other writers waiting.
    if not database.query(partial(untold_jobs, at_s=at_s)):
        return 0
    return database.transact(lambda session: tell_of_ended_jobs(session, settings, at_s=at_s))


def _deliver(database: Database, settings: Settings, row: NotificationTable, *, at_s: float) -> Outcome:
    outcome = _send(settings, row, at_s=at_s)
    is_delivered = outcome.answer is Answer.DELIVERED
    next_try_at = _next_try(row, outcome, at_s=at_s) if outcome.answer is Answer.TRY_AGAIN else None
    database.transact(
        lambda session: report(
            session,
            row,
            delivered_at=at_s if is_delivered else None,
            next_try_at=next_try_at,
            problem=outcome.problem,
        )
    )
    log = logger.info if is_delivered else logger.warning
    log(
        "notification", notification_id=row.id, channel=row.channel, answer=outcome.answer.name, problem=outcome.problem
    )
    return outcome


def _send(settings: Settings, row: NotificationTable, *, at_s: float) -> Outcome:
    try:
        sender = sender_of(settings, row.channel)
    except UsageError as error:
        return Outcome(Answer.TRY_AGAIN, str(error))
    if sender is None:
        return Outcome(Answer.GIVE_UP, f"No {row.channel} is set up any more.")
    return sender.send(Message(key_of(row), row.event, row.created_at, row.payload), at_s=at_s)


def _next_try(row: NotificationTable, outcome: Outcome, *, at_s: float) -> float | None:
    """Later and later, and not all at once; None: it has been tried for long enough."""
    if at_s - row.created_at > GIVE_UP_AFTER_S:
        return None
    wait_s = min(MAX_WAIT_S, FIRST_WAIT_S * 2.0 ** min(row.attempts - 1, 20))
    return at_s + max(outcome.wait_s, wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads tries, guards nothing
