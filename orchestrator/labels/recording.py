"""Taking labels in: everything is checked, then all of them are written in one transaction, or none."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.settings import Settings
from core.types import AnnotationOrigin, NewClasses, Split
from db.annotations import Annotation, add_annotations, annotations_of
from db.clock import read_now
from db.database import Database
from db.datasets import learned_hashes
from db.label_tables import ReviewTable
from orchestrator.labels.checking import keep_sound
from orchestrator.labels.classes import Ask, known_classes, name_of_model, settle
from orchestrator.labels.finding import find_images
from orchestrator.labels.values import FoundImage, GivenLabel, ImportReport, Problems
from orchestrator.retraining.composing import latest_dataset


@dataclass(frozen=True, slots=True)
class Taking:
    """How labels are taken in."""

    model: str | None = None  # None: the only one there is
    annotator: str = field(default_factory=getpass.getuser)  # of labels that do not say whose they are
    origin: AnnotationOrigin = AnnotationOrigin.IMPORTED
    split: Split | None = None  # of labels that do not say
    new_classes: NewClasses = NewClasses.ASK
    ask: Ask | None = None  # asks a person about classes; None: nobody is there


def record(database: Database, settings: Settings, labels: Sequence[GivenLabel], taking: Taking) -> ImportReport:
    """Write labels.

    A label that the same person has given for the same image already is left out, unless it is given by hand and
    someone else has said otherwise since.

    Args:
        database: where they go.
        settings: what may be read.
        labels: in the order in which they were given.
        taking: how.

    Raises:
        UsageError: some cannot be taken; then none is.
    """
    problems = Problems()
    sound = keep_sound(labels, taking.annotator, problems)
    with database.read() as session:
        model = name_of_model(session, taking.model)
        classes = known_classes(session, model)
    settled = settle([given.label for given in sound], classes, taking.new_classes, taking.ask)
    wanted = [given for given in sound if settled[given.label] is not None]
    images = find_images(database, settings, wanted, problems)
    problems.raise_any()
    found = [(given, image) for given, image in zip(wanted, images, strict=True) if image is not None]
    with database.write() as session:
        _require_unlearned(session, model, found, taking, problems)
        problems.raise_any()
        annotations = _annotations(session, model, found, settled, taking)
        timed = [given.created_at is not None for given, _ in found]
        new = _unknown(session, model, annotations, timed, is_by_hand=taking.origin is AnnotationOrigin.ADDED)
        add_annotations(session, model, new)
    return ImportReport(
        model=model,
        num_added=len(new),
        num_known=len(annotations) - len(new),
        num_skipped=len(labels) - len(wanted),
        new_classes=sorted({annotation.label for annotation in new} - set(classes)),
        skipped_classes=sorted(name for name, taken in settled.items() if taken is None),
    )


def _require_unlearned(
    session: Session, model: str, found: Sequence[tuple[GivenLabel, FoundImage]], taking: Taking, problems: Problems
) -> None:
    """Nobody may be tested on what was learned."""
    for_testing = [(given, image) for given, image in found if (given.split or taking.split) is Split.TEST]
    if not for_testing:
        return
    latest_dataset(session, model)
    learned = learned_hashes(session, model)
    for given, image in for_testing:
        if image.sha256 in learned:
            problems.add(
                given.where, f"{given.image} was learned from, so nothing can be measured on it; leave --split test out"
            )


def _annotations(
    session: Session,
    model: str,
    found: Sequence[tuple[GivenLabel, FoundImage]],
    settled: Mapping[str, str | None],
    taking: Taking,
) -> list[Annotation]:
    now_s, shown = read_now(session), _shown(session, model)
    return [
        Annotation(
            sha256=image.sha256,
            label=str(settled[given.label]),
            annotator=given.annotator or taking.annotator,
            origin=AnnotationOrigin.REVIEWED if image.sha256 in shown else taking.origin,
            name=image.name,
            locator=image.locator,
            created_at=now_s if given.created_at is None else min(given.created_at, now_s),
            split=given.split or taking.split,
            shown_model_id=shown.get(image.sha256),
        )
        for given, image in found
    ]


def _shown(session: Session, model: str) -> dict[str, int]:
    """The version whose prediction people were shown, by the content of each image that was handed out."""
    rows = session.execute(select(ReviewTable.sha256, ReviewTable.model_id).where(ReviewTable.model == model))
    return {row.sha256: row.model_id for row in rows}


def _unknown(
    session: Session, model: str, annotations: Sequence[Annotation], timed: Sequence[bool], *, is_by_hand: bool
) -> list[Annotation]:
    """Those that say something new, so that a file may be taken in again.

    Known is what the same person said last of the same image, and what they said at the same time. Of what a file says
    without times the last counts: where that is known, so is what came before it. Who says it again by hand, when
    something else counts by now, means it.
    """
    sha256s = sorted({annotation.sha256 for annotation in annotations})
    stored = annotations_of(session, model, sha256s=sha256s)
    said = {_who(annotation): _what(annotation) for annotation in stored}
    counts = {annotation.sha256: _what(annotation) for annotation in stored}
    at_their_times = {_when(annotation) for annotation in stored}
    last = {_who(one): _what(one) for one, has_time in zip(annotations, timed, strict=True) if not has_time}
    known_since_before = {who for who, what in last.items() if said.get(who) == what}
    new = []
    for annotation, has_time in zip(annotations, timed, strict=True):
        who, what = _who(annotation), _what(annotation)
        is_known = _when(annotation) in at_their_times if has_time else who in known_since_before
        is_meant = is_by_hand and counts.get(annotation.sha256, what) != what
        if is_meant or (not is_known and said.get(who) != what):
            said[who] = what
            new.append(annotation)
    return new


def _who(annotation: Annotation) -> tuple[str, str]:
    return annotation.sha256, annotation.annotator


def _what(annotation: Annotation) -> tuple[str, Split | None]:
    return annotation.label, annotation.split


def _when(annotation: Annotation) -> tuple[str, str, str, Split | None, int]:
    # Files have milliseconds.
    return (*_who(annotation), *_what(annotation), int(annotation.created_at * 1000))
