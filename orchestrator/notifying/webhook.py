"""A webhook: JSON by POST, signed so that its receiver knows who sent it and when.

Source: the Standard Webhooks specification, https://www.standardwebhooks.com/ (headers, what is signed, secrets).
The address is the operator's own setting, so it may well be in a private network; redirects are not followed.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from core.errors import UsageError
from core.settings import Settings
from orchestrator.notifying.channels import Answer, Message, Outcome

TIMEOUT_S = 10.0
GONE = 410
# A receiver that asks for more is tried after a day all the same.
MAX_ASKED_WAIT_S = 24 * 3600.0
_SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets of this kind begin, not one


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
        if not _is_address(url):
            raise UsageError("LABELYARD_WEBHOOK_URL is no http(s) address. Expected such as https://example.org/hook.")
        secret = settings.webhook_secret
        return cls(url, None if secret is None else key_of(secret.get_secret_value()))

    def send(self, message: Message, *, at_s: float) -> Outcome:
        """POST a message."""
        body = json.dumps(
            {
                "type": message.type,
                "timestamp": datetime.fromtimestamp(message.created_at, tz=UTC).isoformat(timespec="milliseconds"),
                "data": dict(message.data),
            }
        ).encode()
        headers = {"content-type": "application/json", "user-agent": "Labelyard"}
        headers |= signed_headers(message.id, int(at_s), body, self.key)
        return asyncio.run(self._post(body, headers))

    async def _post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        # The whole of it has its time: urllib's is for each piece, and a receiver that drips would never end.
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return _judge(response.status, response.headers.get("retry-after", ""))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The address may hold a secret; what went wrong does not.
            reason = getattr(error, "os_error", error)
            return Outcome(Answer.TRY_AGAIN, f"The webhook was not reached: {type(reason).__name__}.")


def _judge(status: int, retry_after: str) -> Outcome:
    """What an answer means; 2xx alone is delivered, and what is in it does not matter."""
    if status // 100 == 2:  # noqa: PLR2004
        return Outcome(Answer.DELIVERED)
    wait_s = min(float(retry_after), MAX_ASKED_WAIT_S) if retry_after.isascii() and retry_after.isdigit() else 0.0
    answer = Answer.GIVE_UP if status == GONE else Answer.TRY_AGAIN
    return Outcome(answer, f"The webhook answered {status}; expected 2xx.", wait_s)


def signed_headers(message_id: str, timestamp_s: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """The headers that say which message this is, when it was sent, and by whom."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s)}
    if key is not None:
        signed = b".".join([message_id.encode(), str(timestamp_s).encode(), body])
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def key_of(secret: str) -> bytes:
    """The key of a secret: base64, behind `whsec_` or not, as the libraries that verify it read it.

    Raises:
        UsageError: it is not base64, or nothing.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise UsageError("LABELYARD_WEBHOOK_SECRET is no secret. Expected base64 behind whsec_.")
    return key


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
