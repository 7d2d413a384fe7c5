"""The store of tokens: rows by the part of a token that may be seen. Knows nothing of secrets, nor of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.types import Scope
from db.api_tables import TokenTable
from db.clock import now_s, read_now

# How exact the time of a token's last use is; noting each would be a write for every request.
USED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that is to be kept."""

    id: str  # the part that may be seen
    name: str
    secret_hash: str  # SHA-256 of the rest, in hexadecimal digits
    scopes: Sequence[Scope]
    lasts_s: float | None  # None: it never expires


def add_token(session: Session, new: NewToken) -> TokenTable:
    """Keep a token."""
    at_s = read_now(session)
    token = TokenTable(
        id=new.id,
        name=new.name,
        secret_hash=new.secret_hash,
        scopes=list(new.scopes),
        created_at=at_s,
        expires_at=None if new.lasts_s is None else at_s + new.lasts_s,
    )
    session.add(token)
    session.flush()
    return token


def find_valid(session: Session, token_id: str) -> TokenTable | None:
    """The token of that id, unless it has expired or was revoked."""
    return session.scalars(
        select(TokenTable).where(
            TokenTable.id == token_id,
            TokenTable.revoked_at.is_(None),
            or_(TokenTable.expires_at.is_(None), TokenTable.expires_at > now_s()),
        )
    ).one_or_none()


def note_use(session: Session, token_id: str) -> None:
    """Note that a token was asked with just now."""
    session.execute(update(TokenTable).where(TokenTable.id == token_id).values(used_at=now_s()))


def list_tokens(session: Session) -> Sequence[TokenTable]:
    """All tokens, the oldest first; those that were revoked too."""
    return session.scalars(select(TokenTable).order_by(TokenTable.created_at, TokenTable.id)).all()


def revoke(session: Session, token_id: str) -> bool:
    """Take a token back, for good.

    Returns:
        False if there is none of that id that was not revoked already.
    """
    result = session.execute(
        update(TokenTable).where(TokenTable.id == token_id, TokenTable.revoked_at.is_(None)).values(revoked_at=now_s())
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]
