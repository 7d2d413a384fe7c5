"""Writing a job's results to CSV, JSONL or Parquet: one line per image, in source order, in constant memory.

A file appears under its name only when it is complete.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.labels import ClassLabel
from db.database import Database
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.results import LabelledImage, class_labels, labelled_images
from orchestrator.formats import Line, TableFormat, encode

COLUMNS = ("image", "label", "label_id", "score", "topk", "error")
# Of a job that was asked to abstain.
REVIEW_COLUMN = "needs_review"
# The last column of a job with several models, which has one line per image and model.
MODEL_COLUMN = "model"


@dataclass(frozen=True, slots=True)
class Row:
    """One image as it is exported."""

    image: str  # the source's own name for it
    label: str | None
    label_id: str | None
    score: float | None  # probability in [0, 1]
    topk: list[dict[str, Any]]  # [{"label", "label_id", "score"}, ...], best first
    error: str | None  # "reason: sentence"
    needs_review: bool | None  # whether a person should look; None: it has an error
    model: str  # who says so: "imagenet:mobilenet@1"

    def to_json(self, columns: Sequence[str]) -> dict[str, Any]:
        """Plain values, in the columns' order."""
        return {column: getattr(self, column) for column in columns}


def export(database: Database, job_id: int, path: Path) -> int:
    """Write a job's results.

    Returns:
        How many rows were written.

    Raises:
        UnknownJobError: there is no such job.
        UsageError: the file cannot be written, or its ending is unknown.
    """
    with database.read() as session:
        return write_rows(path, rows(session, job_id), columns_of(session, job_id))


def write_rows(path: Path, lines: Iterable[Line], columns: Sequence[str]) -> int:
    """Write lines in the format that the file's name says.

    Returns:
        How many there were.

    Raises:
        UsageError: the file cannot be written, or its ending is unknown.
    """
    check_writable(path)
    num_lines = 0

    def counted() -> Iterator[Line]:
        nonlocal num_lines
        for line in lines:
            num_lines += 1
            yield line

    with replacing(path) as file:
        file.writelines(encode(TableFormat(path.suffix.lower().removeprefix(".")), counted(), columns))
    return num_lines


def columns_of(session: Session, job_id: int) -> tuple[str, ...]:
    """What the lines of a job's results are made of."""
    review = (REVIEW_COLUMN,) if get_job(session, job_id).options.get("thresholds") else ()
    model = (MODEL_COLUMN,) if len(models_of(session, job_id)) > 1 else ()
    return (*COLUMNS, *review, *model)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name when the block ends well, and not at all otherwise.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".labelyard-", delete=False) as file:
            temporary = Path(file.name)
            try:
                yield file
            except BaseException:
                temporary.unlink()
                raise
        move_into_place(temporary, path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}. Make room, or name another file; "
            "the results stay in the database."
        ) from error


def move_into_place(written: Path, path: Path) -> None:
    """Give a complete file of this machine its name, and the rights that a new file has."""
    written.chmod(0o666 & ~_umask())
    written.replace(path)


def check_writable(path: Path) -> None:
    """Make sure that results can be written there, before any work is done.

    Raises:
        UsageError: what is wrong with the path.
    """
    check_file(path, [f".{known}" for known in TableFormat])


def check_file(path: Path, endings: Sequence[str]) -> None:
    """Make sure that a file of one of these kinds can be made there.

    Raises:
        UsageError: what is wrong with the path.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path} ends in {path.suffix!r}. Expected one of {', '.join(endings)}.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"The folder {path.parent} does not exist. Make it first, or name another file.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"The folder {path.parent} cannot be written to. Name a file in one that can.")


def rows(session: Session, job_id: int) -> Iterator[Row]:
    """A job's rows in source order; of several models, an image's rows stand together in the models' order."""
    models = models_of(session, job_id)
    names = [f"{model.name}@{model.version}" for model in models]
    labels = [class_labels(session, model.id) for model in models]
    results = [labelled_images(session, job_id, model.id) for model in models]
    for images in zip(*results, strict=True):
        for name, image, labels_of_model in zip(names, images, labels, strict=True):
            yield row_of(image, labels_of_model, name)


def row_of(image: LabelledImage, labels: dict[int, ClassLabel], model: str) -> Row:
    """An image as it is exported."""
    topk = [
        {"label": labels[index].label, "label_id": labels[index].label_id, "score": score}
        for index, score in image.topk
    ]
    best: dict[str, Any] = topk[0] if topk else {"label": None, "label_id": None, "score": None}
    error = None if image.reason is None else f"{image.reason}: {image.detail}"
    return Row(image.name, best["label"], best["label_id"], best["score"], topk, error, image.needs_review, model)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
