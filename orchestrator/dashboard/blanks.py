"""Fields of forms that were left empty: browsers send them as empty text."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _blank_to_none(value: Any) -> Any:  # noqa: ANN401 - whatever a form sends
    return None if isinstance(value, str) and not value.strip() else value


# To be put behind the type of a field that may be left empty.
Blank = BeforeValidator(_blank_to_none)
MaybeText = Annotated[str | None, Blank]
