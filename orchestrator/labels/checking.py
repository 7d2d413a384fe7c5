"""What no label may look like, whichever file it comes from. Knows nothing of images, models or databases."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields

from core.items import Locator
from orchestrator.labels.values import GivenLabel, Problems

MAX_ANNOTATOR_LENGTH = 200
_HASH = re.compile(r"[0-9a-f]{64}")


def keep_sound(labels: Sequence[GivenLabel], annotator: str, problems: Problems) -> list[GivenLabel]:
    """The labels that can be stored.

    Args:
        labels: as they were given.
        annotator: of labels that do not say whose they are.
        problems: told of the others.
    """
    sound = []
    for given in labels:
        found = list(_problems_of(given, annotator))
        for problem in found:
            problems.add(given.where, problem)
        if not found:
            sound.append(given)
    return sound


def _problems_of(given: GivenLabel, default_annotator: str) -> Iterator[str]:
    annotator = given.annotator or default_annotator
    if not given.label.strip():
        yield "the label is empty; expected a class"
    elif not _is_file_name(given.label):
        yield f"the label is {given.label[:80]!r}; expected text, as the name of a folder has"
    if not annotator.isprintable() or len(annotator) > MAX_ANNOTATOR_LENGTH:
        yield (
            f"the annotator is {annotator[:50]!r}; expected up to {MAX_ANNOTATOR_LENGTH} characters that can be printed"
        )
    if given.sha256 is not None and not _HASH.fullmatch(given.sha256):
        yield f"sha256 is {given.sha256[:80]!r}; expected 64 digits of 0-9a-f"
    if given.created_at is not None and given.created_at < 0:
        yield "created_at is before 1970"
    if not _is_file_name(given.image) or (given.locator is not None and not _is_place(given.locator)):
        yield f"{given.image[:80]!r} cannot be the name of an image"


def _is_place(locator: Locator) -> bool:
    """Whether a locator that a file says holds what its kind has."""
    values = {field.name: getattr(locator, field.name) for field in fields(locator)}
    texts = [values.pop(name) for name in ("uri", "member") if name in values]
    numbers = all(isinstance(value, (int, float)) and value >= 0 for value in values.values())
    return numbers and all(isinstance(text, str) and _is_file_name(text) for text in texts)


def _is_file_name(text: str) -> bool:
    """Names of files are bytes without NUL, of which those that are no UTF-8 come as surrogates of their own."""
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
