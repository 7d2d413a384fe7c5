"""Settings of notifications that cannot be meant are said without the secrets in them."""

import base64

import pytest
from listeners import mail_server
from pydantic import SecretStr

from core.errors import UsageError
from core.settings import Settings
from core.types import Channel, Event
from db.database import Database
from db.notifications import add_notification, list_notifications
from orchestrator.notifying import notify_and_deliver
from orchestrator.notifying.channels import sender_of
from orchestrator.notifying.webhook import key_of

NOW_S = 1_800_000_000.0


def say(ledger: Database, *channels: Channel, subject: str = "run:1") -> None:
    facts = {"schedule": "nightly", "model": "Hüte@1", "drift": 0.3}
    with ledger.write() as session:
        add_notification(session, Event.DRIFT_FOUND, subject, facts, channels, at_s=NOW_S)


def problems(ledger: Database) -> list[str | None]:
    with ledger.read() as session:
        return [row.problem for row in list_notifications(session, limit=10)][::-1]


def to_mail(url: str, *receivers: str) -> Settings:
    return Settings(
        smtp_url=SecretStr(url), mail_from="labels@example.org", mail_to=list(receivers or ("ada@example.org",))
    )


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_that_smtp_cannot_send_is_no_end_of_the_notifier(ledger: Database):
    say(ledger, Channel.EMAIL)
    with mail_server(login=(b"ada", b"secret")) as box:
        notify_and_deliver(ledger, to_mail(f"smtp://ada:g%C3%BCt@127.0.0.1:{box.port}"), at_s=NOW_S)
    assert problems(ledger) == ["The mail could not be written: UnicodeEncodeError."]


@pytest.mark.parametrize("url", ["smtp://ada:hu/sh@host", "smtp://[hush", "http://hush", "smtp://", "smtp://h:0x1"])
def test_a_mail_server_that_cannot_be_meant_is_said_without_its_password(ledger: Database, url: str):
    with pytest.raises(UsageError, match="%2F for /") as caught:
        sender_of(to_mail(url), Channel.EMAIL)
    assert "hush" not in str(caught.value)
    say(ledger, Channel.EMAIL)
    assert notify_and_deliver(ledger, to_mail(url), at_s=NOW_S).num_failed == 1


@pytest.mark.parametrize("url", ["http://[hush", "ftp://hush", "https://", "http://host:hush"])
def test_a_webhook_that_cannot_be_meant_is_said_without_its_address(url: str):
    with pytest.raises(UsageError, match=r"https://example\.org/hook") as caught:
        sender_of(Settings(webhook_url=SecretStr(url)), Channel.WEBHOOK)
    assert "hush" not in str(caught.value)


def test_a_secret_is_read_as_its_verifiers_read_it():
    text = base64.b64encode(b"0123456789abcdef01234567").decode()
    assert key_of(f"whsec_{text}") == key_of(text) == b"0123456789abcdef01234567"
    for broken in ("whsec_", "", "not base64!"):
        with pytest.raises(UsageError, match="LABELYARD_WEBHOOK_SECRET"):
            key_of(broken)
