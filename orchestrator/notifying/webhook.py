"""A webhook: JSON by POST, signed so that its receiver knows who sent it and when.

Source: the Standard Webhooks specification, https://www.standardwebhooks.com/ (headers, what is signed, secrets).
The address is the operator's own setting, so it may well be in a private network; redirects are not followed.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from core.errors import UsageError
from core.settings import Settings
from orchestrator.notifying.channels import Answer, Message, Outcome

TIMEOUT_S = 10.0
GONE = 410
_SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets of this kind begin, not one


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow none: what was signed for one address is not for another."""
        del req, fp, code, msg, headers, newurl


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Sends to one address."""

    url: str
    key: bytes | None  # None: unsigned

    @classmethod
    def of(cls, settings: Settings) -> "WebhookSender":
        """The webhook that settings name.

        Raises:
            UsageError: the address is none, or the secret is not what its prefix says.
        """
        url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise UsageError("LABELYARD_WEBHOOK_URL is no http(s) address. Expected such as https://example.org/hook.")
        secret = settings.webhook_secret
        return cls(url, None if secret is None else key_of(secret.get_secret_value()))

    def send(self, message: Message, *, at_s: float) -> Outcome:
        """POST a message."""
        body = json.dumps(
            {
                "type": message.event,
                "timestamp": datetime.fromtimestamp(message.created_at, tz=UTC).isoformat(timespec="milliseconds"),
                "data": dict(message.data),
            }
        ).encode()
        headers = {"content-type": "application/json", "user-agent": "Labelyard"}
        headers |= signed_headers(message.id, int(at_s), body, self.key)
        try:
            request = Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310 - checked by `of`
            with build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S):
                return Outcome(Answer.DELIVERED)
        except HTTPError as error:
            error.close()
            answer = Answer.GIVE_UP if error.code == GONE else Answer.TRY_AGAIN
            return Outcome(answer, f"The webhook answered {error.code}; expected 2xx.")
        except (OSError, HTTPException, ValueError) as error:
            # The address may hold a secret; what went wrong does not.
            reason = getattr(error, "reason", error)
            return Outcome(Answer.TRY_AGAIN, f"The webhook was not reached: {type(reason).__name__}.")


def signed_headers(message_id: str, timestamp_s: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """The headers that say which message this is, when it was sent, and by whom."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s)}
    if key is not None:
        signed = b".".join([message_id.encode(), str(timestamp_s).encode(), body])
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def key_of(secret: str) -> bytes:
    """The key of a secret: base64 behind `whsec_`, else its bytes.

    Raises:
        UsageError: it begins so and is not base64.
    """
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("LABELYARD_WEBHOOK_SECRET begins with whsec_ and is not base64 behind that.") from None
