"""A job's images for a page of pictures: which are wanted, and what is said of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.labels import ClassLabel
from core.types import Reason
from db.database import Database
from db.ledger.progress import models_of
from db.results import LabelledImage, ResultFilter, class_labels, read_page
from orchestrator.api.paging import MAX_ID
from orchestrator.api.routes.results import choose_model
from orchestrator.dashboard.fields import Blank, MaybeText
from orchestrator.dashboard.rendering import is_value

PAGE_SIZE = 48
# Labels that are offered as a filter; of more classes, the name is typed.
MAX_OFFERED = 200

Percent = Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False), Blank]


class GalleryQuery(BaseModel):
    """Which images of a job somebody wants to see; what this does not know, it passes over."""

    model_config = ConfigDict(extra="ignore")

    model: MaybeText = Field(default=None, max_length=300)
    label: MaybeText = Field(default=None, max_length=1000)
    min_score: Percent = None  # percent, as people type it
    max_score: Percent = None
    error: Annotated[Reason | Literal["any"] | None, Blank] = None
    needs_review: Annotated[bool | None, Blank] = None
    after: int = Field(default=-1, ge=-1, le=MAX_ID)
    done: MaybeText = Field(default=None, max_length=20)  # what a form before this page did

    @property
    def is_filtered(self) -> bool:
        """Whether only some images are wanted."""
        return any(
            value is not None for value in (self.label, self.min_score, self.max_score, self.error, self.needs_review)
        )

    def values(self) -> dict[str, object]:
        """The same for an address, the place left out."""
        return self.model_dump(exclude={"after", "done"}, exclude_none=True)

    def to_filter(self, labels: dict[int, ClassLabel]) -> ResultFilter:
        """The same for the store."""
        return ResultFilter(
            class_indices=None
            if self.label is None
            else [index for index, one in labels.items() if is_value(self.label, one.label)],
            min_score=None if self.min_score is None else self.min_score / 100,
            max_score=None if self.max_score is None else self.max_score / 100,
            reasons=None if self.error is None else list(Reason) if self.error == "any" else [self.error],
            needs_review=self.needs_review,
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """One image and what it ended with."""

    ordinal: int
    name: str
    label: str | None
    score: float | None
    reason: Reason | None
    detail: str | None
    needs_review: bool | None


@dataclass(frozen=True, slots=True)
class Gallery:
    """A page of pictures."""

    model: str  # whose answers
    models: list[str]  # of the job
    labels: list[str]  # to choose from; empty: there are too many
    pictures: list[Picture]
    next_after: int | None  # None: this is the last page


def read_gallery(database: Database, job_id: int, query: GalleryQuery) -> Gallery:
    """Read a page of pictures.

    Raises:
        UnknownJobError: there is no such job.
        UsageError: it does not have that model.
    """
    with database.read() as session:
        chosen = choose_model(session, job_id, query.model)
        models = [model.label for model in models_of(session, job_id)]
        labels = class_labels(session, chosen.id)
        images = read_page(session, job_id, chosen.id, query.to_filter(labels), after=query.after, limit=PAGE_SIZE + 1)
    shown = images[:PAGE_SIZE]
    return Gallery(
        model=chosen.label,
        models=models,
        labels=_offered([label.label for _, label in sorted(labels.items())]),
        pictures=[_picture(image, labels) for image in shown],
        next_after=shown[-1].ordinal if len(images) > PAGE_SIZE else None,
    )


def _offered(labels: Sequence[str]) -> list[str]:
    return sorted(set(labels)) if len(labels) <= MAX_OFFERED else []


def _picture(image: LabelledImage, labels: dict[int, ClassLabel]) -> Picture:
    label = None if image.class_index is None else labels[image.class_index].label
    return Picture(image.ordinal, image.name, label, image.score, image.reason, image.detail, image.needs_review)
