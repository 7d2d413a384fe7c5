"""The outbox: what someone is to be told, written in the transaction that it is about, and delivered afterwards.

One event of one subject is told once by each channel. Knows nothing of webhooks or of mail.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.types import Channel, Event
from db.schedule_tables import NotificationTable

# What was taken for delivery and not reported since is taken again: its sender has died.
CLAIMED_FOR_S = 120.0


def add_notification(
    session: Session,
    event: Event,
    subject: str,
    payload: Mapping[str, Any],
    channels: Sequence[Channel],
    *,
    at_s: float,
) -> None:
    """Have someone told; what was written already is left as it is.

    Args:
        session: a writing transaction, that of what is told.
        event: what has happened.
        subject: to what; together they are told once.
        payload: the facts, as plain values.
        channels: how to tell; none: nobody is told.
        at_s: when, in seconds since 1970.
    """
    for channel in channels:
        row = {
            "event": event,
            "subject": subject,
            "channel": channel,
            "payload": dict(payload),
            "created_at": at_s,
            "attempts": 0,
            "next_try_at": at_s,
        }
        try:
            with session.begin_nested():
                session.execute(insert(NotificationTable).values(**row))
        except IntegrityError:
            # Someone else has written it.
            continue


def told_subjects(session: Session, events: Collection[Event], subjects: Collection[str]) -> frozenset[str]:
    """Those of some subjects that someone was told of already, or is going to be."""
    query = select(NotificationTable.subject).where(
        NotificationTable.event.in_(events), NotificationTable.subject.in_(subjects)
    )
    return frozenset(session.scalars(query))


def claim_due(
    session: Session, *, at_s: float, limit: int, without: Collection[Channel] = ()
) -> list[NotificationTable]:
    """Take what is due, so that nobody else delivers it meanwhile.

    Args:
        session: a writing transaction.
        at_s: when this is, in seconds since 1970.
        limit: how many to take.
        without: channels that are left alone.

    Returns:
        Rows as they are behind the claim, detached, longest due first.
    """
    due = session.scalars(
        select(NotificationTable)
        .where(NotificationTable.next_try_at <= at_s, NotificationTable.channel.not_in(without))
        .order_by(NotificationTable.next_try_at, NotificationTable.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in due:
        row.attempts += 1
        row.next_try_at = at_s + CLAIMED_FOR_S
    session.flush()
    session.expunge_all()
    return list(due)


def key_of(row: NotificationTable) -> str:
    """What a receiver knows a notification by: the same in each attempt, another in each ledger."""
    text = f"{row.id} {row.event} {row.subject} {row.created_at!r}"
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def report(
    session: Session,
    claimed: NotificationTable,
    *,
    delivered_at: float | None,
    next_try_at: float | None,
    problem: str | None,
) -> None:
    """Say what came of an attempt.

    Args:
        session: a writing transaction.
        claimed: as it was claimed.
        delivered_at: when it arrived; None: it has not.
        next_try_at: when to try again; None: not any more.
        problem: a sentence.
    """
    session.execute(
        update(NotificationTable)
        .where(NotificationTable.id == claimed.id, NotificationTable.attempts == claimed.attempts)
        .values(delivered_at=delivered_at, next_try_at=next_try_at, problem=problem)
    )


def list_notifications(session: Session, *, limit: int) -> Sequence[NotificationTable]:
    """The last ones, newest first."""
    return session.scalars(select(NotificationTable).order_by(NotificationTable.id.desc()).limit(limit)).all()
