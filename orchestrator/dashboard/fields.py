"""Fields of forms: as they were typed, so that a form that is refused comes back filled in; and those left empty."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BeforeValidator
from starlette.datastructures import UploadFile

MAX_FIELDS = 50


def _blank_to_none(value: Any) -> Any:  # noqa: ANN401 - whatever a form sends
    return None if isinstance(value, str) and not value.strip() else value


# To be put behind the type of a field that may be left empty: browsers send it as empty text.
Blank = BeforeValidator(_blank_to_none)
MaybeText = Annotated[str | None, Blank]


async def _read_fields(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
        return {name: value for name, value in form.items() if not isinstance(value, UploadFile)}


# All fields of a form, unread.
Typed = Annotated[dict[str, str], Depends(_read_fields)]
