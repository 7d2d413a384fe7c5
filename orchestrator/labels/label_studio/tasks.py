"""Tasks of Label Studio as they are in files, what is said in them, and the page on which people say it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from pydantic import BaseModel, ConfigDict, Field

from core.types import Split

# What the parts of the labelling page are called; a file's own names are read whatever they are.
FROM_NAME, TO_NAME, DATA_KEY = "choice", "image", "image"


class _Model(BaseModel):
    # What Label Studio says beyond this is its own affair.
    model_config = ConfigDict(extra="ignore")


class Value(_Model):
    """What was chosen."""

    choices: list[str] = Field(min_length=1)


class Result(_Model):
    """One thing that was said of a task."""

    from_name: str
    to_name: str
    type: str
    value: Value | dict[str, Any]
    id: str | None = None
    meta: dict[str, Any] | None = None


class Person(_Model):
    """Who annotated, as newer exports say it."""

    id: int | None = None
    email: str | None = None


class Annotation(_Model):
    """What one person said."""

    result: list[Result]
    was_cancelled: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    completed_by: int | str | Person | None = None


class Prediction(_Model):
    """What a model said."""

    result: list[Result]
    score: float | None = None
    model_version: str | None = None


class Task(_Model):
    """One image."""

    data: dict[str, Any]
    annotations: list[Annotation] = []
    predictions: list[Prediction] = []
    meta: dict[str, Any] | None = None


class FlatTask(BaseModel):
    """One image with one annotation, as the export JSON-MIN has it: what was asked for beside what was chosen."""

    model_config = ConfigDict(extra="allow")

    annotator: int | str | None = None
    created_at: datetime | None = None


def choice(label: str) -> dict[str, Any]:
    """A choice as a result."""
    return {"from_name": FROM_NAME, "to_name": TO_NAME, "type": "choices", "value": {"choices": [label]}}


def said(label: str, annotator: str, created_at: str, split: Split | None) -> dict[str, Any]:
    """A choice as a result, with who made it, and what for if that was said."""
    purpose = {} if split is None else {"split": split}
    return choice(label) | {"meta": {"label": label, "annotator": annotator, "created_at": created_at, **purpose}}


def labelling_config(classes: Iterable[str]) -> str:
    """The labelling page that such tasks need, as Label Studio's XML."""
    lines = [f"    <Choice value={quoteattr(name)}/>" for name in classes]
    return "\n".join(
        [
            "<View>",
            f'  <Image name="{TO_NAME}" value="${DATA_KEY}"/>',
            f'  <Choices name="{FROM_NAME}" toName="{TO_NAME}" choice="single" showInline="true">',
            *lines,
            "  </Choices>",
            "</View>",
            "",
        ]
    )
