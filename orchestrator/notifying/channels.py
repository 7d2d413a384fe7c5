"""Which channels are set up, and how each message is sent by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from core.settings import Settings
from core.types import Channel, Event


class Answer(Enum):
    """What came of sending a message."""

    DELIVERED = auto()
    TRY_AGAIN = auto()
    GIVE_UP = auto()  # trying again would not help


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending a message, and why."""

    answer: Answer
    problem: str | None = None  # a sentence; never a secret
    wait_s: float = 0.0  # how long the receiver asks to be left alone


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    id: str  # the same in each try, so that a receiver knows it again
    event: Event | None  # None: someone tries the channels out
    created_at: float  # seconds since 1970
    data: Mapping[str, Any]

    @property
    def type(self) -> str:
        """What programs tell events by."""
        return "test" if self.event is None else str(self.event)


class Sender(Protocol):
    """A channel that is set up."""

    def send(self, message: Message, *, at_s: float) -> Outcome:
        """Send a message; whatever goes wrong is its outcome."""


def channels_of(settings: Settings) -> list[Channel]:
    """The channels that are set up."""
    found = []
    if settings.webhook_url is not None:
        found.append(Channel.WEBHOOK)
    if settings.smtp_url is not None and settings.mail_to:
        found.append(Channel.EMAIL)
    return found


def sender_of(settings: Settings, channel: Channel) -> Sender | None:
    """How messages go out by a channel; None: it is not set up any more.

    Raises:
        UsageError: a setting cannot be meant.
    """
    from orchestrator.notifying.mail import MailSender  # noqa: PLC0415 - only those who send need it
    from orchestrator.notifying.webhook import WebhookSender  # noqa: PLC0415 - as above

    if channel not in channels_of(settings):
        return None
    return WebhookSender.of(settings) if channel is Channel.WEBHOOK else MailSender.of(settings)
