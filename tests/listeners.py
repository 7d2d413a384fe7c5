"""A receiver of webhooks and a mail server: real ones, on this machine."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from web_servers import Quiet, serving


@dataclass
class Receiver:
    """What a receiver of webhooks got, and what it answers."""

    url: str
    statuses: list[int] = field(default_factory=list)  # of the next requests; then 200
    headers: dict[str, str] = field(default_factory=dict)  # of its answers
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  # headers in small letters, body
    paths: list[str] = field(default_factory=list)
    hangs: bool = False  # reads, and does not answer
    drips: bool = False  # answers, one byte after the other, and never comes to the end of its headers
    on_request: Callable[[], None] = lambda: None
    has_ended: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies, read."""
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Start a receiver for as long as the block runs."""

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.paths.append(self.path)
            receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.on_request()
            if receiver.hangs:
                receiver.has_ended.wait()
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            if not receiver.drips:
                self.end_headers()
                return
            self.flush_headers()
            while not receiver.has_ended.wait(0.05):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return

    with serving(Handler) as address:
        receiver = Receiver(f"{address}/hook")
        yield receiver
        receiver.has_ended.set()


@dataclass
class MailBox:
    """What a mail server got, and whom it refuses."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # the answer for each address that is refused
    answers: list[str] = field(default_factory=list)  # to the next messages; then "250 OK"
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - its name is the library's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        del server
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        self.was_encrypted.append(session.ssl is not None)
        return "250 OK"


@contextmanager
def mail_server(*, tls: ssl.SSLContext | None = None, login: tuple[bytes, bytes] | None = None) -> Iterator[MailBox]:
    """Start a mail server for as long as the block runs.

    Args:
        tls: its certificate; it then takes mail by STARTTLS alone.
        login: the user and the password that it wants.
    """
    box = MailBox()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        box.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == login, handled=False)

    controller = _Controller(
        box,
        hostname="127.0.0.1",
        port=0,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=login is not None,
        auth_require_tls=tls is not None,
        authenticator=authenticate if login is not None else None,
    )
    controller.start()
    assert controller.server is not None
    box.port = controller.server.sockets[0].getsockname()[1]
    yield box
    controller.stop()


class _Controller(Controller):
    def _trigger_server(self) -> None:
        # It would connect to the port that it was given, which is 0.
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
