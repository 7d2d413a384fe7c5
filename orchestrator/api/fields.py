"""What parts of requests may be: every text is printable, every number one that the databases can hold."""

from typing import Annotated, get_args

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from orchestrator.api.paging import MAX_ID
from workers.access import is_url

# Control characters are in no name that people give, and NUL in none that PostgreSQL stores.
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
_LOCAL_PREFIXES = ("/", "job:", "upload:")

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROLS)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
JobId = Annotated[int, Path(ge=1, le=MAX_ID, description="The job's number.")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


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


class Parameters(BaseModel):
    """What follows the question mark: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """A request's JSON: what is not known is refused, and so is "1" or true for 1, which JSON has no need of."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _require_exact(cls, values: object) -> object:
        """Refuse texts and truth values for numbers, and numbers and texts for truth values."""
        for name, value in values.items() if isinstance(values, dict) else ():
            kinds = _kinds(cls, name)
            if (kinds & {int, float} and isinstance(value, bool | str)) or (
                bool in kinds and isinstance(value, int | float | str) and not isinstance(value, bool)
            ):
                raise ValueError(f"{name}: expected a {'truth value' if bool in kinds else 'number'}")
        return values


def _kinds(body: type[BaseModel], name: str) -> set[object]:
    """The types that a field may have."""
    field = body.model_fields.get(name)
    return set() if field is None else {field.annotation, *get_args(field.annotation)}
