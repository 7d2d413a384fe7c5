"""Tokens: made once and shown once, then known only by what their secret hashes to.

A token is `ly_ID_SECRET`. The id finds its row, and what the secret hashes to is compared in constant time. A secret
has 256 bits from the system's generator, so one round of SHA-256 keeps it: there is no dictionary to try.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import Scope
from db.api_tables import TokenTable
from db.clock import read_now
from db.database import Database
from db.tokens import USED_WITHIN_S, NewToken, add_token, find_valid, list_tokens, note_use

PREFIX = "ly"
_ID_BYTES = 6
_SECRET_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_([A-Za-z0-9_-]{{43}})")
_MAX_NAME_LENGTH = 200
# Compared with where there is no such token, so that this takes no less time.
_NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what for they may."""

    token_id: str | None  # None: nobody is asked for a token here
    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """A token, without what makes it one."""

    id: str
    name: str
    scope: Scope  # the widest
    state: str  # valid, expired, revoked
    created_at: float  # seconds since 1970
    expires_at: float | None  # None: never
    used_at: float | None  # to the minute; None: never

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


# Where only this machine can ask, whoever asks may do all that the command line does.
ANYBODY = Caller(None, "local", frozenset(Scope))


def make_token(session: Session, name: str, scope: Scope, *, lasts_s: float | None) -> tuple[str, str]:
    """Make a token and keep what its secret hashes to.

    Args:
        session: a writing transaction.
        name: whose it is, for people.
        scope: what it may be used for; narrower scopes are included.
        lasts_s: how long; None: until it is revoked.

    Returns:
        The token, which cannot be had again, and its id.

    Raises:
        UsageError: the name or the time cannot be meant.
    """
    if not name.strip() or len(name) > _MAX_NAME_LENGTH or not name.isprintable():
        raise UsageError(f"Received {name!r} as a token's name. Expected 1 to {_MAX_NAME_LENGTH} printable characters.")
    if lasts_s is not None and lasts_s <= 0:
        raise UsageError(f"Received {lasts_s:g} s as a token's time. Expected more than 0.")
    token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    add_token(session, NewToken(token_id, name, hash_secret(secret), scopes_within(scope), lasts_s))
    return f"{PREFIX}_{token_id}_{secret}", token_id


def summarise_tokens(session: Session) -> list[TokenSummary]:
    """All tokens, the oldest first."""
    now = read_now(session)
    return [
        TokenSummary(
            id=token.id,
            name=token.name,
            scope=max(map(Scope, token.scopes), key=list(Scope).index),
            state=_state(token, now),
            created_at=token.created_at,
            expires_at=token.expires_at,
            used_at=token.used_at,
        )
        for token in list_tokens(session)
    ]


def _state(token: TokenTable, now_s: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now_s else "valid"


def scopes_within(scope: Scope) -> Sequence[Scope]:
    """A scope and those that it includes."""
    scopes = list(Scope)
    return scopes[: scopes.index(scope) + 1]


def hash_secret(secret: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def identify(database: Database, token: str) -> Caller | None:
    """Find out whose token it is.

    Returns:
        None if it is nobody's: wrong, expired or revoked.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    token_id, secret = match.groups()
    with database.read() as session:
        found = find_valid(session, token_id)
        is_right = hmac.compare_digest(_NO_HASH if found is None else found.secret_hash, hash_secret(secret))
        if found is None or not is_right:
            return None
        is_used_again = found.used_at is not None and read_now(session) - found.used_at < USED_WITHIN_S
        caller = Caller(token_id, found.name, frozenset(map(Scope, found.scopes)))
    if not is_used_again:
        database.transact(lambda session: note_use(session, token_id))
    return caller
