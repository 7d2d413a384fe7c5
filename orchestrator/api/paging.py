"""Pages behind a cursor: what was listed stays where it is, however much is added meanwhile."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from core.errors import UsageError

Item = TypeVar("Item")

MAX_PAGE_SIZE = 1000
# What every reader of JSON can count to (RFC 8259, section 6); no database of ours gets there.
MAX_ID = 2**53 - 1

PageSize = Annotated[int, Query(alias="limit", ge=1, le=MAX_PAGE_SIZE, description="How many at most.")]
CursorText = Annotated[
    str | None, Query(alias="cursor", max_length=500, description="`next` of the page before; nothing for the first.")
]


class UnknownPageError(UsageError):
    """A cursor that is none."""


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="The cursor of the next page; null: this is the last one.")


def to_cursor(*values: float | str) -> str:
    """The place behind an item, as text that means nothing to others."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def from_cursor(text: str, kinds: Sequence[type]) -> list[Any]:
    """What `to_cursor` was given.

    Raises:
        UnknownPageError: it did not come from there.
    """
    try:
        values = json.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        values = None
    is_known = (
        isinstance(values, list)
        and len(values) == len(kinds)
        and all(type(value) is kind for value, kind in zip(values, kinds, strict=True))
        and all(abs(value) <= MAX_ID for value in values if not isinstance(value, str))
    )
    if not is_known:
        raise UnknownPageError(
            f"Received {text[:100]!r} as a cursor. Expected `next` of an earlier page, as it was given."
        )
    return list(values)
