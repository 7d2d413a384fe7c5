"""The formats of manifests: each becomes a stream of entries, as they are written, None where a cell is empty."""

import codecs
import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from core.errors import SourceError
from workers.ml.formats import has_image_name

# Column names that are taken for the images' when nobody says which, most telling first.
DEFAULT_COLUMNS = ("image", "path", "file", "filename", "url")
_PARQUET_ROWS_AT_A_TIME = 8192

Entries = Iterator[str | None]
TableReader = Callable[[IO[bytes], str, str | None], Entries]


def read_lines(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one entry per line; blank lines are no entries."""
    if column is not None:
        raise SourceError(f"{location} is a plain list, which has no columns; leave --column {column} out.")
    for line in _decoded(file):
        entry = line.rstrip("\r\n")
        if entry.strip():
            yield entry


def read_csv(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one column of a CSV file whose first line names its columns."""
    rows = csv.DictReader(_decoded(file))
    try:
        columns = rows.fieldnames or ()
        if len(columns) == 1 and has_image_name(columns[0]):
            raise SourceError(
                f"The first line of {location} is {columns[0]!r}, but has to name the columns. "
                "Write `image` above it, or name the file .txt."
            )
        chosen = choose_column(columns, column, location)
        for row in rows:
            yield row[chosen] or None
    except csv.Error as error:
        raise SourceError(f"{location} is not a CSV file: {error} in line {rows.line_num}.") from error


def read_jsonl(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one key of each line's object."""
    chosen = None
    for number, line in enumerate(_decoded(file), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"Line {number} of {location} is not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise SourceError(f'Line {number} of {location} is not a JSON object; expected {{"image": …}}.')
        chosen = chosen or choose_column(tuple(row), column, location)
        if chosen not in row:
            raise SourceError(f"Line {number} of {location} has no {chosen!r}; it has {_listed(tuple(row))}.")
        yield _text(row[chosen], f"Line {number} of {location}")


def read_parquet(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one column, a few thousand rows at a time."""
    import pyarrow as pa  # noqa: PLC0415  takes a second, and few manifests are Parquet
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(file)
        chosen = choose_column(table.schema_arrow.names, column, location)
        for batch in table.iter_batches(batch_size=_PARQUET_ROWS_AT_A_TIME, columns=[chosen]):
            for value in batch.column(0).to_pylist():
                yield _text(value, f"Column {chosen!r} of {location}")
    except pa.ArrowException as error:
        raise SourceError(f"{location} is not a Parquet file: {error}") from error


READERS: dict[str, TableReader] = {
    "txt": read_lines,
    "lst": read_lines,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def choose_column(columns: Sequence[str], wanted: str | None, location: str) -> str:
    """Find the column that holds the images.

    Raises:
        SourceError: there is none, or it cannot be told which.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise SourceError(f"{location} has no column {wanted!r}; it has {_listed(columns)}.")
    for name in DEFAULT_COLUMNS:
        if name in columns:
            return name
    if len(columns) == 1:
        return columns[0]
    raise SourceError(f"Which column of {location} holds the images? It has {_listed(columns)}; say --column NAME.")


def _decoded(file: IO[bytes]) -> Iterator[str]:
    """Read lines with their ends, without a byte order mark; bytes that are not UTF-8 survive as in file names."""
    for number, line in enumerate(file):
        yield os.fsdecode(line if number else line.removeprefix(codecs.BOM_UTF8))


def _text(value: Any, where: str) -> str | None:  # noqa: ANN401  whatever JSON or Parquet holds
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise SourceError(f"{where} holds {type(value).__name__} values; expected paths or URLs as text.")
    return value


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns)) if columns else "no columns"
