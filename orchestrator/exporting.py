"""Writing a job's results to CSV, JSONL or Parquet: one line per image, in source order, in constant memory.

A file appears under its name only when it is complete.
"""

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.items import escape_name
from core.labels import ClassLabel
from db.database import Database
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.results import LabelledImage, class_labels, labelled_images

COLUMNS = ("image", "label", "label_id", "score", "topk", "error")
# Of a job that was asked to abstain.
REVIEW_COLUMN = "needs_review"
# The last column of a job with several models, which has one line per image and model.
MODEL_COLUMN = "model"
SCORE_COLUMNS = ("score", "score_before")
PARQUET_ROW_GROUP = 10_000


class Line(Protocol):
    """What becomes a line of a file."""

    def to_json(self, columns: Sequence[str]) -> dict[str, Any]:
        """Plain values, in the columns' order."""


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
    with replacing(path) as file:
        return _WRITERS[path.suffix.lower()](file, iter(lines), columns)


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
    check_file(path, tuple(_WRITERS))


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
            yield _row(image, labels_of_model, name)


def _row(image: LabelledImage, labels: dict[int, ClassLabel], model: str) -> Row:
    topk = [
        {"label": labels[index].label, "label_id": labels[index].label_id, "score": score}
        for index, score in image.topk
    ]
    best: dict[str, Any] = topk[0] if topk else {"label": None, "label_id": None, "score": None}
    error = None if image.reason is None else f"{image.reason}: {image.detail}"
    return Row(image.name, best["label"], best["label_id"], best["score"], topk, error, image.needs_review, model)


def _write_csv(file: IO[bytes], lines: Iterator[Line], columns: Sequence[str]) -> int:
    # Names keep their bytes, whatever their encoding; that is why the text layer is made here.
    text = _TextLayer(file)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    num_lines = 0
    for line in lines:
        num_lines += 1
        writer.writerow([_cell(value) for value in line.to_json(columns).values()])
    return num_lines


def _cell(value: Any) -> Any:  # noqa: ANN401 - whatever a line holds
    """A value as CSV has it: what is no text or number as JSON, an empty list as nothing."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return json.dumps(value) if isinstance(value, bool) else value


def _write_jsonl(file: IO[bytes], lines: Iterator[Line], columns: Sequence[str]) -> int:
    num_lines = 0
    for line in lines:
        num_lines += 1
        # ASCII with escapes, so that names that are not UTF-8 survive.
        file.write(json.dumps(line.to_json(columns)).encode() + b"\n")
    return num_lines


def _write_parquet(file: IO[bytes], lines: Iterator[Line], columns: Sequence[str]) -> int:
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only this format pays
    import pyarrow.parquet as pq  # noqa: PLC0415

    best = pa.struct([("label", pa.string()), ("label_id", pa.string()), ("score", pa.float64())])
    types = {"topk": pa.list_(best), REVIEW_COLUMN: pa.bool_()} | dict.fromkeys(SCORE_COLUMNS, pa.float64())
    schema = pa.schema([(column, types.get(column, pa.string())) for column in columns])
    num_lines = 0
    with pq.ParquetWriter(file, schema) as writer:
        while group := [_valid_text(line.to_json(columns)) for line in islice(lines, PARQUET_ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            num_lines += len(group)
    return num_lines


def _valid_text(values: dict[str, Any]) -> dict[str, Any]:
    """Parquet's strings are UTF-8 by definition; a name that is not is written escaped."""
    try:
        values["image"].encode()
    except UnicodeEncodeError:
        return values | {"image": escape_name(values["image"])}
    return values


class _TextLayer:
    """What `csv.writer` needs of a file, over a binary one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text.encode(errors="surrogateescape"))
        except UnicodeEncodeError:
            # A surrogate that stands for no byte: a manifest can hold one, a file system cannot.
            return self._file.write(escape_name(text).encode())


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_WRITERS: dict[str, Callable[[IO[bytes], Iterator[Line], Sequence[str]], int]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
