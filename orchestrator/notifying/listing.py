"""What there is to say about messages: what someone was told, by which channel, and what came of it."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from db.schedule_tables import NotificationTable


@dataclass(frozen=True, slots=True)
class NotificationSummary:
    """One message by one channel."""

    id: int
    event: str
    channel: str
    state: str  # delivered, given up, waiting
    created_at: float  # seconds since 1970
    delivered_at: float | None
    attempts: int
    next_try_at: float | None
    problem: str | None  # why it is not delivered yet
    data: dict[str, Any]

    @classmethod
    def of(cls, row: NotificationTable) -> Self:
        """What the outbox has of it."""
        return cls(
            id=row.id,
            event=row.event,
            channel=row.channel,
            state=state_of(row),
            created_at=row.created_at,
            delivered_at=row.delivered_at,
            attempts=row.attempts,
            next_try_at=row.next_try_at,
            problem=row.problem,
            data=row.payload,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def state_of(row: NotificationTable) -> str:
    """Where a message stands."""
    if row.delivered_at is not None:
        return "delivered"
    return "waiting" if row.next_try_at is not None else "given up"
