"""What parts of requests may be: every text is printable, every number one that the databases can hold."""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from orchestrator.api.paging import MAX_ID
from workers.access import is_url

# Control characters are in no name that people give, and NUL in none that PostgreSQL stores.
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
_LOCAL_PREFIXES = ("/", "job:", "upload:")

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROLS)]


def _no_word(value: object) -> object:
    if isinstance(value, bool | str):
        # In JSON there is no need to take "1" or true for 1. 1.0 is the same number there.
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic's way to refuse
    return value


Flag = Annotated[bool, Strict()]
Whole = Annotated[int, BeforeValidator(_no_word)]
Id = Annotated[Whole, Field(ge=1, le=MAX_ID)]
JobId = Annotated[int, Path(ge=1, le=MAX_ID, description="The job's number.")]
Number = Annotated[float, Field(allow_inf_nan=False)]
ExactNumber = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ExactShare = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]


def is_whole(text: str) -> bool:
    """Whether a text names a place by itself, relative to nothing."""
    return text.startswith(_LOCAL_PREFIXES) or is_url(text)


def _whole(text: str) -> str:
    if not is_whole(text):
        # What it would be relative to is a folder of the server's that its clients do not know.
        raise ValueError("expected an absolute path of the server's, a URL, upload:ID or job:ID")
    return text


Source = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4096, pattern=_NO_CONTROLS),
    AfterValidator(_whole),
    Field(
        description="An absolute path of the server's, a URL, `upload:ID` or `job:ID`.",
        examples=["/data/photos"],
        json_schema_extra={"pattern": r"^(/|job:|upload:|[A-Za-z][A-Za-z0-9+.\-]*://)[^\x00-\x1f\x7f]*$"},
    ),
]


class Body(BaseModel):
    """A request's body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid")
