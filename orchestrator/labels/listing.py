"""What there is to say about labels, as frozen values: the CLI prints them, `--json` dumps them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name
from db.annotations import Annotation, annotations_of, conflicts, newest_by_annotator
from db.models import label_of
from orchestrator.labels.classes import name_of_model


@dataclass(frozen=True, slots=True)
class ListedLabel:
    """One label by one person."""

    image: str
    label: str
    annotator: str
    created_at: float  # seconds since 1970
    origin: str
    split: str | None
    shown: str | None  # the version whose prediction the person saw
    counts: bool  # whether it is the newest of its image
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self) | {"image": escape_name(self.image), "label": escape_name(self.label)}


def list_labels(
    session: Session,
    model: str | None,
    *,
    only_conflicts: bool = False,
    image: str | None = None,
    content: str | None = None,
) -> list[ListedLabel]:
    """Look at labels.

    Args:
        session: any transaction.
        model: whose; None: the only one there is.
        only_conflicts: whether only images that people disagree about are wanted.
        image: the name or hash of one image whose whole history is wanted.
        content: the hash of that image, where the name is a file's.

    Raises:
        UsageError: it cannot be told which model, or nobody has said anything of that image.
    """
    name = name_of_model(session, model)
    if image is not None:
        history = [
            found for found in annotations_of(session, name) if found.sha256 in (content, image) or found.name == image
        ]
        if not history:
            raise UsageError(f"Nobody has said anything of {image!r}. `labelyard labels list` has all labels.")
        return _listed(session, [history])
    return _listed(session, (conflicts if only_conflicts else newest_by_annotator)(session, name).values())


def _listed(session: Session, by_image: Iterable[list[Annotation]]) -> list[ListedLabel]:
    return [
        ListedLabel(
            image=annotation.name,
            label=annotation.label,
            annotator=annotation.annotator,
            created_at=annotation.created_at,
            origin=str(annotation.origin),
            split=None if annotation.split is None else str(annotation.split),
            shown=label_of(session, annotation.shown_model_id),
            counts=annotation is annotations[-1],
            sha256=annotation.sha256,
        )
        for annotations in by_image
        for annotation in annotations
    ]
