"""Choosing what a person looks at next, and noting it, so that no image is handed out twice."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name
from core.labels import ClassLabel
from core.types import Strategy
from db.clock import read_now
from db.database import Database
from db.label_tables import AnnotationTable, ReviewTable
from db.results import class_labels
from orchestrator.kept import kept_features
from orchestrator.retraining.composing import latest_dataset
from orchestrator.review.candidates import (
    Candidate,
    Candidates,
    find_candidates,
    labelled_hashes,
    read_images,
    why_none_is_left,
)
from workers.ml.selection import Wanted, compare, preselect, uncertainty


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What a user asks `review next` to do."""

    model: str  # the name that its versions share
    job_id: int | None = None  # None: the newest that a version of it has labelled
    count: int = 20
    strategy: Strategy = Strategy.MIXED
    per_class: int | None = None  # of what was called one class, at most; None: as many as there are
    seed: int = 0


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An image that a person is to look at."""

    image: str
    label: str  # what the model says
    score: float  # its probability
    second: str | None  # what it says next
    uncertainty: float  # 0..1
    model: str  # the version that says so
    job_id: int
    ordinal: int  # its place in that job
    sha256: str
    locator: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self) | {"image": escape_name(self.image)}


def hand_out(database: Database, request: ReviewRequest) -> list[HandedOut]:
    """Choose images and note them.

    Choosing takes a while and holds no lock. Who was handed the same images in that time was quicker: of others the
    rest is handed out, and if none is left, others are chosen.

    Raises:
        UsageError: there is no such job, or nothing is left of it.
    """
    with database.write() as session:
        latest_dataset(session, request.model)
    while True:
        with database.read() as session:
            candidates = find_candidates(session, request.model, request.job_id)
            if not len(candidates.ordinals):
                raise UsageError(why_none_is_left(session, request.model, candidates))
            chosen = _choose(session, candidates, request)
        with database.write() as session:
            if handed_out := _note(session, candidates, chosen, request):
                return handed_out


def open_reviews(session: Session, model: str) -> list[ReviewTable]:
    """Images that were handed out and have no label since, oldest first."""
    answered = select(AnnotationTable.sha256).where(
        AnnotationTable.model == ReviewTable.model, AnnotationTable.sha256 == ReviewTable.sha256
    )
    return list(
        session.scalars(
            select(ReviewTable)
            .where(ReviewTable.model == model, ~answered.exists())
            .order_by(ReviewTable.shown_at, ReviewTable.job_id, ReviewTable.ordinal)
        )
    )


def _choose(session: Session, candidates: Candidates, request: ReviewRequest) -> list[tuple[Candidate, float]]:
    wanted = Wanted(request.strategy, request.count, request.per_class)
    rng = np.random.default_rng(request.seed)
    answers = candidates.answers
    positions = preselect(answers, wanted, rng)
    images = read_images(session, candidates, positions.tolist())
    if request.strategy.compares:
        features, labelled = _features(session, candidates, images, request)
        order = compare(answers.take(positions), features, labelled, wanted, rng)
        positions, images = positions[order], [images[place] for place in order]
    hesitation = uncertainty(answers.scores[positions], answers.num_classes)
    return list(zip(images, hesitation.tolist(), strict=True))


def _features(
    session: Session, candidates: Candidates, images: Sequence[Candidate], request: ReviewRequest
) -> tuple[np.ndarray, np.ndarray | None]:
    """The features of images that are to be compared, and of what is labelled.

    Raises:
        UsageError: there are none.
    """
    hashes = [image.sha256 for image in images]
    found = kept_features(session, candidates.model, hashes)
    if len(found) < len(hashes):
        raise UsageError(
            f"--strategy {request.strategy} compares images, and of {len(hashes) - len(found):,} nothing is kept. "
            "Label them again, or choose --strategy uncertain."
        )
    known = kept_features(session, candidates.model, labelled_hashes(session, request.model))
    return np.stack([found[sha256] for sha256 in hashes]), np.stack(list(known.values())) if known else None


def _note(
    session: Session, candidates: Candidates, chosen: list[tuple[Candidate, float]], request: ReviewRequest
) -> list[HandedOut]:
    labels, now_s = class_labels(session, candidates.model.id), read_now(session)
    return [
        _describe(candidates, image, hesitation, labels)
        for image, hesitation in chosen
        if _take(session, candidates, image, request, now_s)
    ]


def _take(session: Session, candidates: Candidates, image: Candidate, request: ReviewRequest, now_s: float) -> bool:
    """Note that an image is handed out; False: someone else was handed it in the same moment."""
    row = {
        "model": request.model,
        "sha256": image.sha256,
        "job_id": candidates.job_id,
        "ordinal": image.ordinal,
        "model_id": candidates.model.id,
        "strategy": request.strategy,
        "name": image.name,
        "locator": image.locator,
        "shown_at": now_s,
    }
    try:
        with session.begin_nested():
            session.execute(insert(ReviewTable).values(**row))
    except IntegrityError:
        return False
    return True


def _describe(
    candidates: Candidates, image: Candidate, hesitation: float, labels: Mapping[int, ClassLabel]
) -> HandedOut:
    index, score = image.topk[0]
    return HandedOut(
        image=image.name,
        label=labels[index].label,
        score=score,
        second=labels[image.topk[1][0]].label if len(image.topk) > 1 else None,
        uncertainty=round(hesitation, 6),
        model=candidates.model.label,
        job_id=candidates.job_id,
        ordinal=image.ordinal,
        sha256=image.sha256,
        locator=image.locator,
    )
