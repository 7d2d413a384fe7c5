"""The formats of manifests: each becomes a stream of entries, as they are written, None where a cell is empty."""

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NamedTuple, cast

from core.errors import SourceError
from workers.ml.formats import has_image_name

# Column names that are taken for the images' when nobody says which, most telling first.
DEFAULT_COLUMNS = ("image", "path", "file", "filename", "url")
_PARQUET_ROWS_AT_A_TIME = 8192
# Read at a time of each column; Arrow takes a row group's whole column otherwise.
_PARQUET_BUFFER_NUM_BYTES = 1024**2
# Limits that honest manifests are far from: of a line, and of what is read of a Parquet file's row group.
MAX_LINE_NUM_BYTES = 1024**2
MAX_ROW_GROUP_NUM_BYTES = 1024**3

Entries = Iterator[str | None]
TableReader = Callable[[IO[bytes], str, str | None], Entries]
# Given the names of all columns, says which are wanted, in which order.
ColumnChooser = Callable[[Sequence[str]], Sequence[str]]


class Row(NamedTuple):
    """Some cells of one row."""

    where: str  # for messages: "Line 3 of photos.csv"
    cells: tuple[Any, ...]  # as the format holds them; None or "" where a cell is empty


Rows = Iterator[Row]
RowReader = Callable[[IO[bytes], str, ColumnChooser], Rows]


def read_lines(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one entry per line; blank lines are no entries."""
    if column is not None:
        raise SourceError(f"{location} is a plain list, which has no columns; leave --column {column} out.")
    for line in _decoded(file, location):
        entry = line.rstrip("\r\n")
        if entry.strip():
            yield entry


def read_csv(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one column of a CSV file whose first line names its columns."""
    return _images(read_csv_rows, file, location, column)


def read_jsonl(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one key of each line's object."""
    return _images(read_jsonl_rows, file, location, column)


def read_parquet(file: IO[bytes], location: str, column: str | None) -> Entries:
    """Read one column, a few thousand rows at a time."""
    return _images(read_parquet_rows, file, location, column)


def read_csv_rows(file: IO[bytes], location: str, choose: ColumnChooser) -> Rows:
    """Read some columns of a CSV file whose first line names its columns; every cell is text."""
    lines = csv.DictReader(_decoded(file, location))
    try:
        columns = lines.fieldnames or ()
        if len(columns) == 1 and has_image_name(columns[0]):
            raise SourceError(
                f"The first line of {location} is {columns[0]!r}, but has to name the columns. "
                "Write `image` above it, or name the file .txt."
            )
        chosen = choose(columns)
        for line in lines:
            yield Row(f"Line {lines.line_num} of {location}", tuple(line[name] for name in chosen))
    except csv.Error as error:
        raise SourceError(f"{location} is not a CSV file: {error} in line {lines.line_num}.") from error


def read_jsonl_rows(file: IO[bytes], location: str, choose: ColumnChooser) -> Rows:
    """Read some keys of each line's object."""
    chosen: Sequence[str] = ()
    for number, line in enumerate(_decoded(file, location), start=1):
        if not line.strip():
            continue
        where = f"Line {number} of {location}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where} is not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise SourceError(f'{where} is not a JSON object; expected {{"image": …}}.')
        chosen = chosen or choose(tuple(row))
        missing = [name for name in chosen if name not in row]
        if missing:
            raise SourceError(f"{where} has no {missing[0]!r}; it has {listed(tuple(row))}.")
        yield Row(where, tuple(row[name] for name in chosen))


def read_parquet_rows(file: IO[bytes], location: str, choose: ColumnChooser) -> Rows:
    """Read some columns, a few thousand rows at a time."""
    import pyarrow as pa  # noqa: PLC0415  takes a second, and few manifests are Parquet
    from pyarrow import parquet  # noqa: PLC0415

    number = 0
    try:
        table = parquet.ParquetFile(file, buffer_size=_PARQUET_BUFFER_NUM_BYTES)
        chosen = list(choose(table.schema_arrow.names))
        _check_row_groups(table.metadata, chosen, location)
        for batch in table.iter_batches(batch_size=_PARQUET_ROWS_AT_A_TIME, columns=chosen):
            # By name: a batch has its columns in the file's order, and each once.
            for values in zip(*(batch.column(name).to_pylist() for name in chosen), strict=True):
                number += 1
                yield Row(f"Row {number} of {location}", values)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{location} is not a Parquet file: {error}") from error


READERS: dict[str, TableReader] = {
    "txt": read_lines,
    "lst": read_lines,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}
# Those whose rows have more than one column.
ROW_READERS: dict[str, RowReader] = {
    "csv": read_csv_rows,
    "jsonl": read_jsonl_rows,
    "parquet": read_parquet_rows,
}


def choose_column(columns: Sequence[str], wanted: str | None, location: str) -> str:
    """Find the column that holds the images.

    Raises:
        SourceError: there is none, or it cannot be told which.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise SourceError(f"{location} has no column {wanted!r}; it has {listed(columns)}.")
    for name in DEFAULT_COLUMNS:
        if name in columns:
            return name
    if len(columns) == 1:
        return columns[0]
    raise SourceError(f"Which column of {location} holds the images? It has {listed(columns)}; say --column NAME.")


def entry_text(value: Any, where: str) -> str | None:  # noqa: ANN401  whatever JSON or Parquet holds
    """Read a cell that names an image; None where it is empty.

    Raises:
        SourceError: it holds something else than text.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise SourceError(f"{where} holds {type(value).__name__} values; expected paths or URLs as text.")
    return value


def listed(columns: Sequence[str]) -> str:
    """Quote the names of columns in one line."""
    return ", ".join(map(repr, columns)) if columns else "no columns"


def _images(reader: RowReader, file: IO[bytes], location: str, column: str | None) -> Entries:
    for where, (cell,) in reader(file, location, lambda columns: (choose_column(columns, column, location),)):
        yield entry_text(cell, where)


def _check_row_groups(metadata: Any, chosen: Sequence[str], location: str) -> None:  # noqa: ANN401  Arrow has no types
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(index) for index in range(group.num_columns)]
        num_bytes = sum(
            column.total_uncompressed_size for column in columns if column.path_in_schema.partition(".")[0] in chosen
        )
        if num_bytes > MAX_ROW_GROUP_NUM_BYTES:
            raise SourceError(
                f"Row group {number} of {location} has {num_bytes:,} bytes; at most {MAX_ROW_GROUP_NUM_BYTES:,} are "
                "read at once. Write it in smaller row groups."
            )


def _decoded(file: IO[bytes], location: str) -> Iterator[str]:
    """Read lines with their ends, without a byte order mark; bytes that are not UTF-8 survive as in file names."""
    # Files of fsspec read a line however long it is.
    lines = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file))
    for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_NUM_BYTES + 1), b"")):
        if len(line) > MAX_LINE_NUM_BYTES:
            raise SourceError(
                f"Line {number + 1} of {location} has more than {MAX_LINE_NUM_BYTES:,} bytes; expected a path or a "
                "row. Check that it is a manifest."
            )
        yield os.fsdecode(line if number else line.removeprefix(codecs.BOM_UTF8))
