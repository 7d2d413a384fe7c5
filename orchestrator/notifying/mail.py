"""E-mail by SMTP: plain text, encrypted on the way unless the server is this machine."""

import smtplib
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from core.errors import UsageError
from core.settings import Settings
from orchestrator.notifying.channels import Answer, Message, Outcome
from orchestrator.notifying.sentences import body_of, subject_of

TIMEOUT_S = 15.0
_PORTS = {"smtp": 587, "smtps": 465}
_PERMANENT = range(500, 600)
_NO_SERVER = (
    "LABELYARD_SMTP_URL is no SMTP server. Expected such as smtp://USER:PASSWORD@mail.example.org:587, "
    "with %2F for / and %40 for @ in names and passwords."
)
_REFUSALS = (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)


@dataclass(frozen=True, slots=True)
class MailSender:
    """Sends by one server."""

    host: str
    port: int
    is_tls: bool  # from the first byte; else by STARTTLS
    user: str | None
    password: str | None
    sender: str
    receivers: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "MailSender":
        """The server that settings name.

        Raises:
            UsageError: the URL is none, or there is no sender.
        """
        try:
            parts = urlsplit(settings.smtp_url.get_secret_value() if settings.smtp_url else "")
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            # Their own words would repeat a password that is not escaped.
            raise UsageError(_NO_SERVER) from None
        if not parts.hostname:
            raise UsageError(_NO_SERVER)
        addresses = (settings.mail_from or "", *settings.mail_to)
        if any("@" not in address or any(sign in address for sign in "\r\n") for address in addresses):
            raise UsageError(
                "LABELYARD_MAIL_FROM and LABELYARD_MAIL_TO: expected addresses such as labels@example.org."
            )
        return cls(
            host=parts.hostname,
            port=port,
            is_tls=parts.scheme == "smtps",
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            sender=addresses[0],
            receivers=tuple(addresses[1:]),
        )

    def send(self, message: Message, *, at_s: float) -> Outcome:
        """Send a message to all receivers."""
        try:
            refused = self._send(self._compose(message, at_s=at_s))
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            answer = Answer.GIVE_UP if all(code in _PERMANENT for code in codes) else Answer.TRY_AGAIN
            return Outcome(answer, f"The mail server refused {', '.join(error.recipients)}.")
        except smtplib.SMTPResponseException as error:
            # Their own words may repeat what they were told.
            # A password may be mended; what is refused for good stays refused.
            is_final = error.smtp_code in _PERMANENT and isinstance(error, _REFUSALS)
            return Outcome(
                Answer.GIVE_UP if is_final else Answer.TRY_AGAIN,
                f"The mail server answered {error.smtp_code} ({type(error).__name__}).",
            )
        except (OSError, smtplib.SMTPException) as error:
            return Outcome(Answer.TRY_AGAIN, f"The mail server was not reached: {type(error).__name__}.")
        except ValueError as error:
            # smtplib takes ASCII passwords only; the error holds the password.
            return Outcome(Answer.TRY_AGAIN, f"The mail could not be written: {type(error).__name__}.")
        problem = f"The mail server refused {', '.join(refused)}; the others have it." if refused else None
        return Outcome(Answer.DELIVERED, problem)

    def _compose(self, message: Message, *, at_s: float) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject_of(message.event, message.data)
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.receivers)
        mail["Date"] = formatdate(at_s, localtime=False)
        # The same in each try, so that mail programs show a second one once.
        mail["Message-ID"] = f"<{message.id}@labelyard>"
        # Source: RFC 3834, section 5: no out-of-office answers to this.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(body_of(message.event, message.data))
        return mail

    def _send(self, mail: EmailMessage) -> Collection[str]:
        """Hand it over; returns the receivers that were refused while others were not."""
        context = ssl.create_default_context()
        if self.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        with server:
            if not self.is_tls and not _is_here(self.host):
                server.starttls(context=context)
            if self.user is not None:
                server.login(self.user, self.password or "")
            return server.send_message(mail).keys()


def _is_here(host: str) -> bool:
    """Whether a server is this machine, so that nothing is on the way."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
