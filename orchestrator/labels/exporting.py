"""Writing labels to files that other programs read: CSV, Label Studio's tasks, COCO.

A file appears under its name only when it is complete. The label that counts of each image is written; CSV has one line
for each person who said something of it.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name
from db.annotations import Annotation, newest_annotations, newest_by_annotator
from db.database import Database
from db.ledger.progress import models_of
from db.models import label_of
from db.results import class_labels, labelled_images
from orchestrator.exporting import check_file, replacing
from orchestrator.labels.classes import known_classes, name_of_model
from orchestrator.labels.label_studio import DATA_KEY, choice, labelling_config, said

CSV_COLUMNS = ("image", "label", "annotator", "created_at", "split", "model_version_shown", "sha256")


class LabelFormat(StrEnum):
    """What labels are written as."""

    CSV = "csv"
    LABEL_STUDIO = "label-studio"
    COCO = "coco"

    @property
    def ending(self) -> str:
        """What such files are called."""
        return ".csv" if self is LabelFormat.CSV else ".json"


@dataclass(frozen=True, slots=True)
class LabelExport:
    """What a user asks `labels export` to do."""

    format: LabelFormat
    out: Path
    model: str | None = None  # None: the only one there is
    job_id: int | None = None  # whose predictions go with Label Studio's tasks
    config: Path | None = None  # where Label Studio's labelling page goes


def export_labels(database: Database, request: LabelExport) -> int:
    """Write labels.

    Returns:
        How many images, or of CSV lines, were written.

    Raises:
        UsageError: they cannot be written there, or there are none.
    """
    check_file(request.out, (request.format.ending,))
    if request.config is not None:
        check_file(request.config, (".xml",))
    if request.format is not LabelFormat.LABEL_STUDIO and (request.job_id or request.config):
        raise UsageError("--job and --config are for --format label-studio. Leave them out.")
    with database.read() as session:
        model = name_of_model(session, request.model)
        text, number = _WRITERS[request.format](session, model, request.job_id)
        config = labelling_config(known_classes(session, model))
    if not number:
        raise UsageError(
            f"There are no labels for {model!r} yet. `labelyard labels import` and `labels add` make them."
        )
    with replacing(request.out) as file:
        file.write(text.encode())
    if request.config is not None:
        with replacing(request.config) as file:
            file.write(config.encode())
    return number


def _to_csv(session: Session, model: str, job_id: int | None) -> tuple[str, int]:
    del job_id
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    number = 0
    for annotations in newest_by_annotator(session, model).values():
        for annotation in annotations:
            number += 1
            writer.writerow(
                (
                    _place(annotation.locator, annotation.name),
                    escape_name(annotation.label),
                    annotation.annotator,
                    _moment(annotation.created_at),
                    annotation.split or "",
                    label_of(session, annotation.shown_model_id) or "",
                    annotation.sha256,
                )
            )
    return out.getvalue(), number


def _to_label_studio(session: Session, model: str, job_id: int | None) -> tuple[str, int]:
    labelled, predicted = newest_by_annotator(session, model), _predictions(session, job_id)
    tasks = [_task(of_image, predicted.pop(sha256, None)) for sha256, of_image in labelled.items()]
    tasks += [task for task, _ in predicted.values()]
    return json.dumps(tasks, indent=1), len(tasks)


def _task(annotations: Sequence[Annotation], predicted: tuple[dict[str, Any], dict[str, Any]] | None) -> dict[str, Any]:
    newest = annotations[-1]
    return {
        "data": {DATA_KEY: _place(newest.locator, newest.name)},
        "meta": {"sha256": newest.sha256, "name": escape_name(newest.name), "locator": newest.locator},
        "annotations": [
            {
                "result": [
                    said(
                        escape_name(annotation.label),
                        annotation.annotator,
                        _moment(annotation.created_at),
                        annotation.split,
                    )
                ],
                "was_cancelled": False,
                "ground_truth": False,
                "created_at": _moment(annotation.created_at),
            }
            for annotation in annotations
        ],
        "predictions": [] if predicted is None else [predicted[1]],
    }


def _predictions(session: Session, job_id: int | None) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Tasks and predictions of a job's images, by their content."""
    if job_id is None:
        return {}
    model = models_of(session, job_id)[0]
    labels = class_labels(session, model.id)
    found = {}
    for image in labelled_images(session, job_id, model.id):
        if image.class_index is None or image.sha256 is None:
            continue
        prediction = {
            "result": [choice(escape_name(labels[image.class_index].label))],
            "score": image.score,
            "model_version": f"{model.name}@{model.version}",
        }
        task = {
            "data": {DATA_KEY: _place(image.locator, image.name)},
            "meta": {"sha256": image.sha256, "name": escape_name(image.name), "locator": image.locator},
            "annotations": [],
            "predictions": [prediction],
        }
        found[image.sha256] = (task, prediction)
    return found


def _to_coco(session: Session, model: str, job_id: int | None) -> tuple[str, int]:
    """COCO has no labels of whole images; others too write an annotation without a box, whose category is the class."""
    del job_id
    classes = known_classes(session, model)
    ids = {name: number for number, name in enumerate(classes, start=1)}
    labelled = list(newest_annotations(session, model).values())
    document = {
        "info": {"description": f"Labels of {model}"},
        "categories": [{"id": number, "name": escape_name(name)} for name, number in ids.items()],
        "images": [
            {"id": number, "file_name": _place(annotation.locator, annotation.name), "sha256": annotation.sha256}
            for number, annotation in enumerate(labelled, start=1)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": ids[annotation.label], "iscrowd": 0}
            for number, annotation in enumerate(labelled, start=1)
        ],
    }
    return json.dumps(document, indent=1), len(labelled)


def _place(locator: str, name: str) -> str:
    """Where an image can be found again: its path or address; of an item of a container, what it is called."""
    uri = json.loads(locator)["uri"] if json.loads(locator)["kind"] == "file" else name
    return escape_name(uri)


def _moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, tz=UTC).isoformat(timespec="milliseconds")


_WRITERS: Mapping[LabelFormat, Callable[[Session, str, int | None], tuple[str, int]]] = {
    LabelFormat.CSV: _to_csv,
    LabelFormat.LABEL_STUDIO: _to_label_studio,
    LabelFormat.COCO: _to_coco,
}
