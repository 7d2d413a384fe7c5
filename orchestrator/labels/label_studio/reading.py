"""From tasks to labels."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError

from core.errors import UsageError
from core.items import FileLocator, Locator, locator_from_text
from core.types import Split
from orchestrator.labels.label_studio.tasks import DATA_KEY, Annotation, FlatTask, Person, Result, Task, Value
from orchestrator.labels.values import GivenLabel, Problems
from orchestrator.sources.manifests import EntryReader

MAX_FILE_BYTES = 1024**3


def read_tasks(file: IO[bytes], name: str, images: EntryReader) -> list[GivenLabel]:
    """Read the labels of a file of tasks; cancelled annotations, and tasks without any, hold none.

    Args:
        file: JSON, or JSON-MIN.
        name: what it is called, for messages.
        images: finds where an image is.

    Raises:
        UsageError: it is not that; the message says where.
    """
    entries = _load(file, name)
    problems, labels = Problems(), list[GivenLabel]()
    for number, entry in enumerate(entries):
        where = (
            f"task {entry.get('id', number + 1)} of {name}"
            if isinstance(entry, dict)
            else f"task {number + 1} of {name}"
        )
        try:
            is_full = isinstance(entry, dict) and "data" in entry
            labels += _full(Task.model_validate(entry), where, images) if is_full else _flat(entry, where, images)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            problems.add(where, f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        except (ValueError, TypeError) as error:
            problems.add(where, str(error))
    problems.raise_any()
    if not labels:
        raise UsageError(f"{name} holds {len(entries):,} tasks and no annotation with a choice.")
    return labels


def _load(file: IO[bytes], name: str) -> list[Any]:
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{name} is larger than {MAX_FILE_BYTES:,} bytes. Export fewer tasks at a time.")
    try:
        entries = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 (byte {error.start:,}). Expected JSON as Label Studio exports it."
        ) from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{name} is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:
        # A number of thousands of digits, which Python does not read.
        raise UsageError(f"{name} cannot be read as JSON: {error}.") from error
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deep. Expected JSON as Label Studio exports it.") from error
    if not isinstance(entries, list):
        raise UsageError(
            f"{name} holds one {type(entries).__name__}. Expected a list of tasks, as Label Studio exports it."
        )
    return entries


def _full(task: Task, where: str, images: EntryReader) -> Iterable[GivenLabel]:
    image = _image_of(task.data)
    meta = task.meta or {}
    for annotation in task.annotations:
        choice = None if annotation.was_cancelled else _choice(annotation.result)
        if choice is None:
            continue
        moment = annotation.updated_at or annotation.created_at
        who, moment, split = _said_before(annotation, choice) or (_person(annotation.completed_by), moment, None)
        yield GivenLabel(
            where=where,
            image=str(meta.get("name", image)),
            locator=_locator(image, meta, images),
            label=choice,
            annotator=who,
            created_at=None if moment is None else _seconds(moment),
            split=split,
            sha256=_optional_text(meta.get("sha256")),
        )


def _flat(entry: Any, where: str, images: EntryReader) -> Iterable[GivenLabel]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(entry, dict):
        raise TypeError("expected an object with the key data")
    task = FlatTask.model_validate(entry)
    image = _image_of(entry)
    known = {DATA_KEY, "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
    choices = [value for key, value in entry.items() if key not in known and isinstance(value, str) and value != image]
    if len(choices) != 1:
        raise ValueError("expected the keys image and one choice, or the key data")
    return [
        GivenLabel(
            where=where,
            image=image,
            locator=_locator(image, {}, images),
            label=choices[0].strip(),
            annotator=_person(task.annotator),
            created_at=None if task.created_at is None else _seconds(task.created_at),
        )
    ]


def _choice(results: Iterable[Result]) -> str | None:
    """The one choice of an annotation.

    Raises:
        ValueError: there are several, which is no label of one image.
    """
    chosen = [result.value.choices for result in results if isinstance(result.value, Value)]
    names = [name for choices in chosen for name in choices]
    if len(names) > 1:
        raise ValueError(f"{len(names)} choices; expected one class for an image")
    return names[0].strip() if names else None


def _said_before(annotation: Annotation, label: str) -> tuple[str, datetime, Split | None] | None:
    """Who said that, when and what for, if it was written here and nobody has changed it since."""
    for meta in (result.meta for result in annotation.result if isinstance(result.value, Value)):
        if meta and meta.get("label") == label and isinstance(meta.get("annotator"), str):
            split = Split.TEST if meta.get("split") == Split.TEST else None
            return meta["annotator"], datetime.fromisoformat(str(meta.get("created_at"))), split
    return None


def _image_of(data: Mapping[str, Any]) -> str:
    image = data.get(DATA_KEY) or next((value for value in data.values() if isinstance(value, str)), None)
    if not isinstance(image, str) or not image:
        raise ValueError("data names no image")
    return image


def _locator(image: str, meta: Mapping[str, Any], images: EntryReader) -> Locator | None:
    if text := meta.get("locator"):
        locator = _parse_locator(str(text))
        images.require_allowed(str(locator.uri))
        return locator
    parts = urlsplit(image)
    if parts.path.startswith("/data/local-files") and (found := parse_qs(parts.query).get("d")):
        # How Label Studio serves files of its own machine.
        return FileLocator(f"/{found[0].lstrip('/')}")
    if parts.path.startswith("/data/upload"):
        return None
    return images.item(image, 0).locator


def _parse_locator(text: str) -> Locator:
    try:
        return locator_from_text(text)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"meta.locator is {text[:100]!r}, which was not written by Labelyard") from error


def _person(who: int | str | Person | None) -> str | None:
    match who:
        case None:
            return None
        case Person():
            return who.email or (None if who.id is None else f"label-studio:{who.id}")
        case int():
            return f"label-studio:{who}"
    return who


def _optional_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
