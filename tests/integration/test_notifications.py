"""People and programs are told once, by real servers, and again as long as that may help."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ledger_steps import claim, finish, job_with
from listeners import Receiver, mail_server, webhook_receiver
from pydantic import SecretStr
from sqlalchemy import update

from core.settings import Settings
from core.types import Channel, Event
from db.clock import read_now
from db.database import Database
from db.ledger import control
from db.notifications import add_notification, claim_due, list_notifications
from db.tables import JobTable
from orchestrator.notifying import notify_and_deliver
from orchestrator.notifying import webhook as webhook_module
from orchestrator.notifying.delivering import GIVE_UP_AFTER_S
from orchestrator.notifying.webhook import key_of, signed_headers

SECRET = "whsec_" + base64.b64encode(b"a key of this test").decode()
HOUR_S = 3600.0


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with webhook_receiver() as receiver:
        receiver.url += "?token=hush"
        receiver.headers["location"] = "http://127.0.0.1:1/elsewhere"
        yield receiver


def to_hook(hook: Receiver, **others: Any) -> Settings:
    return Settings(webhook_url=SecretStr(hook.url), webhook_secret=SecretStr(SECRET), **others)


def to_mail(port: int, *, user: str = "", receivers: str = "ada@example.org,ben@example.org") -> Settings:
    return Settings(
        smtp_url=SecretStr(f"smtp://{user}127.0.0.1:{port}"),
        mail_from="labels@example.org",
        mail_to=receivers.split(","),
    )


def now(ledger: Database) -> float:
    return ledger.query(read_now)


def end_a_job(ledger: Database) -> int:
    job_id = job_with(ledger, 4)
    assert finish(ledger, claim(ledger), bad=[1])
    return job_id


def states(ledger: Database) -> list[tuple[str, int, bool, bool]]:
    with ledger.read() as session:
        rows = list_notifications(session, limit=100)
    return [(row.event, row.attempts, row.delivered_at is not None, row.next_try_at is not None) for row in rows[::-1]]


def test_a_job_that_ends_is_told_once_and_signed_so_that_its_receiver_can_tell(ledger: Database, hook: Receiver):
    job_id = end_a_job(ledger)
    for _ in range(2):
        notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger))
    ((headers, body),) = hook.requests
    message = json.loads(body)
    assert message["type"] == "job.done"
    assert message["data"] | {"seconds": 0} == {
        "job_id": job_id,
        "name": "test",
        "kind": "label",
        "state": "done",
        "models": ["imagenet:mobilenet@1"],
        "num_images": 4,
        "num_predictions": 3,
        "num_errors": 1,
        "seconds": 0,
        "error": None,
    }
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"a key of this test", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_a_job_that_failed_says_why_and_one_that_ends_again_is_told_again(ledger: Database, hook: Receiver):
    failed = job_with(ledger, 4)
    with ledger.write() as session:
        control.fail(session, failed, "its folder is gone")
    notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger))
    assert [(body["type"], body["data"]["error"]) for body in hook.messages] == [("job.failed", "its folder is gone")]
    with ledger.write() as session:
        control.resume(session, failed)
    assert finish(ledger, claim(ledger))
    notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger))
    assert [body["type"] for body in hook.messages] == ["job.failed", "job.done"]


def test_old_ends_and_jobs_that_go_on_or_were_cancelled_are_no_news(ledger: Database, hook: Receiver):
    old = end_a_job(ledger)
    with ledger.write() as session:
        session.execute(update(JobTable).where(JobTable.id == old).values(finished_at=read_now(session) - 48 * HOUR_S))
    job_with(ledger, 4)
    cancelled = job_with(ledger, 4)
    with ledger.write() as session:
        control.cancel(session, cancelled)
    assert notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger)).num_told == 0
    assert hook.requests == []


def test_what_was_not_taken_is_sent_again_later_and_later_with_the_same_id(ledger: Database, hook: Receiver):
    hook.statuses = [500, 503]
    end_a_job(ledger)
    start_s = now(ledger)
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s)
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s + 5)
    assert len(hook.requests) == 1, "it is not tried at once"
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s + 20)
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s + 30)
    assert len(hook.requests) == 2, "the second wait is longer than the first"
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s + 80)
    assert len({headers["webhook-id"] for headers, _ in hook.requests}) == 1
    assert states(ledger) == [("job.done", 3, True, False)]


@pytest.mark.parametrize(("answer", "tries_again"), [(302, True), (404, True), (410, False)])
def test_a_redirect_is_not_followed_and_what_is_gone_is_given_up(ledger, hook, answer: int, tries_again: bool):
    hook.statuses = [answer]
    end_a_job(ledger)
    assert notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger)).num_failed == 1
    assert states(ledger) == [("job.done", 1, False, tries_again)]


def test_after_three_days_it_is_given_up(ledger: Database, hook: Receiver):
    hook.statuses = [500, 500]
    end_a_job(ledger)
    start_s = now(ledger)
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s)
    notify_and_deliver(ledger, to_hook(hook), at_s=start_s + GIVE_UP_AFTER_S + HOUR_S)
    assert states(ledger) == [("job.done", 2, False, False)]


def test_an_address_where_nobody_answers_is_said_without_its_secrets(ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_module, "TIMEOUT_S", 0.2)
    end_a_job(ledger)
    settings = Settings(webhook_url=SecretStr("http://127.0.0.1:1/hook?token=hush"))
    assert notify_and_deliver(ledger, settings, at_s=now(ledger)).num_failed == 1
    with ledger.read() as session:
        (row,) = list_notifications(session, limit=1)
    assert row.problem == "The webhook was not reached: ConnectionRefusedError."


def test_several_who_deliver_at_once_send_each_message_once(ledger: Database, hook: Receiver):
    for _ in range(5):
        end_a_job(ledger)
    at_s = now(ledger)
    others = [Database(ledger.url.render_as_string(hide_password=False)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda database: notify_and_deliver(database, to_hook(hook), at_s=at_s), others))
    for other in others:
        other.close()
    ids = [headers["webhook-id"] for headers, _ in hook.requests]
    assert sorted(set(ids)) == sorted(ids)
    assert len(ids) == 5


def test_what_a_sender_that_died_had_taken_is_sent_by_the_next(ledger: Database, hook: Receiver):
    end_a_job(ledger)
    at_s = now(ledger)
    with ledger.write() as session:
        add_notification(
            session, Event.DRIFT_FOUND, "run:1", {"model": "a@1", "drift": 0.3}, [Channel.WEBHOOK], at_s=at_s
        )
        assert len(claim_due(session, at_s=at_s, limit=10)) == 1
    notify_and_deliver(ledger, to_hook(hook), at_s=at_s + 1)
    assert [body["type"] for body in hook.messages] == ["job.done"]
    notify_and_deliver(ledger, to_hook(hook), at_s=at_s + 300)
    assert [body["type"] for body in hook.messages] == ["job.done", "drift.found"]


def test_without_channels_nothing_is_written(ledger: Database):
    end_a_job(ledger)
    assert notify_and_deliver(ledger, Settings(), at_s=now(ledger)).num_told == 0
    assert states(ledger) == []


def test_a_mail_is_sent_to_all_with_the_facts_on_lines_of_their_own(ledger: Database):
    with mail_server() as box, ledger.write() as session:
        facts = {"challenger": "parts@2\r\nBcc: eve@example.org", "champion": "Hüte@1", "reason": "macro_f1 is 0.9"}
        add_notification(session, Event.CHALLENGER_PROMOTED, "run:1", facts, [Channel.EMAIL], at_s=1000.0)
        session.commit()
        assert notify_and_deliver(ledger, to_mail(box.port), at_s=1000.0).num_delivered == 1
    (mail,), (receivers,) = box.mails, box.recipients
    assert receivers == ["ada@example.org", "ben@example.org"]
    assert mail["Subject"] == "parts@2 Bcc: eve@example.org is in use now, in place of Hüte@1"
    assert mail["Bcc"] is None
    assert "reason: macro_f1 is 0.9" in mail.get_content()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_that_wants_a_password_gets_it(ledger: Database):
    end_a_job(ledger)
    at_s = now(ledger)
    with mail_server(login=(b"ada@x", b"p/w")) as box:
        assert notify_and_deliver(ledger, to_mail(box.port, user="ada%40x:wrong@"), at_s=at_s).num_failed == 1
        with ledger.read() as session:
            (row,) = list_notifications(session, limit=1)
        assert row.problem == "The mail server answered 535 (SMTPAuthenticationError)."
        assert notify_and_deliver(ledger, to_mail(box.port, user="ada%40x:p%2Fw@"), at_s=at_s + 60).num_delivered == 1
    assert len(box.mails) == 1


def test_a_receiver_that_is_refused_for_good_is_not_tried_again(ledger: Database):
    end_a_job(ledger)
    with mail_server() as box:
        box.refused["nobody@example.org"] = "550 no such person here"
        settings = to_mail(box.port, receivers="nobody@example.org")
        assert notify_and_deliver(ledger, settings, at_s=now(ledger)).num_failed == 1
    assert states(ledger) == [("job.done", 1, False, False)]


def test_a_signature_is_that_of_the_published_example():
    # Source: the test vectors of the Standard Webhooks libraries.
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_the_documents_say_verifies_a_message(ledger: Database, hook: Receiver):
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "notifications.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)
    end_a_job(ledger)
    notify_and_deliver(ledger, to_hook(hook), at_s=now(ledger))
    ((headers, body),) = hook.requests
    assert names["is_genuine"](headers, body, SECRET)
    assert not names["is_genuine"](headers, body + b" ", SECRET)
    assert not names["is_genuine"](headers | {"webhook-timestamp": "1600000000"}, body, SECRET)
