"""Receivers that hang, drip or half refuse, and what receivers must be able to rely on."""

from collections.abc import Iterator

import pytest
from ledger_steps import claim, finish, job_with
from listeners import MailBox, Receiver, mail_server, webhook_receiver
from sqlalchemy import select, update

from core.settings import Settings
from core.types import Channel, Event
from db.database import Database
from db.notifications import add_notification
from db.schedule_tables import NotificationTable
from db.tables import JobTable
from orchestrator.notifying import notify_and_deliver, webhook

NOW_S = 1_800_000_000.0
DRIFT = {"schedule": "nightly", "model": "parts@3", "drift": 0.31}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[MailBox]:
    with mail_server() as box:
        yield box


def to_mail(box: MailBox, to: str = "ada@example.org") -> Settings:
    return Settings(smtp_url=f"smtp://127.0.0.1:{box.port}", mail_from="labels@example.org", mail_to=to)


def say(ledger: Database, channel: Channel, *, number: int = 1) -> None:
    with ledger.write() as session:
        for one in range(number):
            add_notification(session, Event.DRIFT_FOUND, f"run {one}", DRIFT, [channel], at_s=NOW_S)


def rows(ledger: Database) -> list[NotificationTable]:
    with ledger.read() as session:
        return list(session.scalars(select(NotificationTable).order_by(NotificationTable.id)))


@pytest.mark.parametrize("way", ["hangs", "drips"])
def test_receiver_that_never_ends_its_answer_costs_one_time_out_a_round(
    ledger: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, way: str
):
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.5)
    setattr(receiver, way, True)
    say(ledger, Channel.WEBHOOK, number=3)
    report = notify_and_deliver(ledger, Settings(webhook_url=receiver.url), at_s=NOW_S)
    assert (report.num_failed, len(receiver.requests)) == (1, 1)
    assert [row.attempts for row in rows(ledger)] == [1, 0, 0]


def test_each_channel_goes_on_while_another_one_has_trouble(ledger: Database, receiver: Receiver, mailbox: MailBox):
    receiver.statuses = [500] * 9
    say(ledger, Channel.WEBHOOK, number=2)
    say(ledger, Channel.EMAIL, number=2)
    settings = Settings(**to_mail(mailbox).model_dump() | {"webhook_url": receiver.url})
    notify_and_deliver(ledger, settings, at_s=NOW_S)
    assert (len(receiver.requests), len(mailbox.mails)) == (1, 2)


def test_receiver_is_left_alone_for_as_long_as_it_asks(ledger: Database, receiver: Receiver):
    receiver.statuses, receiver.headers = [429], {"retry-after": "3600"}
    say(ledger, Channel.WEBHOOK)
    notify_and_deliver(ledger, Settings(webhook_url=receiver.url), at_s=NOW_S)
    assert rows(ledger)[0].next_try_at == NOW_S + 3600


def test_the_same_row_of_another_ledger_has_another_id(ledger: Database, receiver: Receiver, tmp_path):
    from db.schema import upgrade  # noqa: PLC0415

    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(other)
    say(ledger, Channel.WEBHOOK)
    with other.write() as session:
        add_notification(session, Event.DRIFT_FOUND, "run 0", DRIFT, [Channel.WEBHOOK], at_s=NOW_S + 0.001)
    for one in (ledger, other):
        notify_and_deliver(one, Settings(webhook_url=receiver.url), at_s=NOW_S + 1)
    other.close()
    first, second = (headers["webhook-id"] for headers, _ in receiver.requests)
    assert first != second


def test_mail_that_is_sent_again_has_the_same_id(ledger: Database, mailbox: MailBox):
    say(ledger, Channel.EMAIL)
    for late_s in (0.0, 1.0):
        with ledger.write() as session:
            # As if the sender had died before it could say that it was delivered.
            session.execute(update(NotificationTable).values(next_try_at=NOW_S, delivered_at=None))
        notify_and_deliver(ledger, to_mail(mailbox), at_s=NOW_S + late_s)
    first, second = (mail["message-id"] for mail in mailbox.mails)
    assert first == second
    assert mailbox.mails[0]["auto-submitted"] == "auto-generated"


def test_some_refused_receivers_are_noted_and_the_others_get_it_once(ledger: Database, mailbox: MailBox):
    mailbox.refused = {"gone@example.org": "550 no such user"}
    say(ledger, Channel.EMAIL)
    for _ in range(2):
        notify_and_deliver(ledger, to_mail(mailbox, "ada@example.org,gone@example.org"), at_s=NOW_S)
    assert mailbox.recipients == [["ada@example.org"]]
    (row,) = rows(ledger)
    assert row.delivered_at == NOW_S
    assert row.problem == "The mail server refused gone@example.org; the others have it."


def test_message_that_is_refused_for_good_is_not_sent_again(ledger: Database, mailbox: MailBox):
    mailbox.answers = ["552 too much of it"]
    say(ledger, Channel.EMAIL)
    notify_and_deliver(ledger, to_mail(mailbox), at_s=NOW_S)
    (row,) = rows(ledger)
    assert (row.next_try_at, row.delivered_at) == (None, None)


def test_no_name_of_a_job_begins_a_line_or_a_header_of_its_own(ledger: Database, mailbox: MailBox):
    job_with(ledger, 4)
    lease = claim(ledger)
    assert lease is not None
    finish(ledger, lease)
    name = "Größe\r\nBcc: eve@example.org\r\n\r\nstate: failed\x1b[31m \u202e now"
    with ledger.write() as session:
        session.execute(update(JobTable).values(name=name))
    notify_and_deliver(ledger, to_mail(mailbox))
    (mail,) = mailbox.mails
    assert mail["bcc"] is None
    assert "Größe" in mail["subject"]
    assert mail["subject"].isprintable()
    lines = mail.get_content().splitlines()
    assert "state: done" in lines
    assert "state: failed" not in lines
    assert all(line.isprintable() for line in lines)
