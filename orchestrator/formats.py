"""Tables as CSV, JSONL or Parquet, piece by piece: whoever writes or sends them never holds a whole one.

Names that are not UTF-8 survive in each. Knows nothing of jobs, nor of where the pieces go.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol

from core.items import escape_name

# Lines that become one piece.
LINES_AT_ONCE = 1_000
PARQUET_ROW_GROUP = 10_000
SCORE_COLUMNS = ("score", "score_before")
FLAG_COLUMNS = ("needs_review",)


class TableFormat(StrEnum):
    """What a table can be written as; also what such a file's name ends in."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    TableFormat.CSV: "text/csv",
    TableFormat.JSONL: "application/jsonl",
    TableFormat.PARQUET: "application/vnd.apache.parquet",
}


class Line(Protocol):
    """What becomes a line of a file."""

    def to_json(self, columns: Sequence[str]) -> dict[str, Any]:
        """Plain values, in the columns' order."""


def encode(table_format: TableFormat, lines: Iterable[Line], columns: Sequence[str]) -> Iterator[bytes]:
    """Write lines as pieces of a file, which is complete with the last."""
    return _ENCODERS[table_format](iter(lines), columns)


def _encode_csv(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    writer = csv.writer(_TextLayer(pieces))
    writer.writerow(columns)
    while True:
        group = [line.to_json(columns).values() for line in islice(lines, LINES_AT_ONCE)]
        writer.writerows([_cell(value) for value in values] for values in group)
        if pieces:
            yield b"".join(pieces)
            pieces.clear()
        if len(group) < LINES_AT_ONCE:
            return


def _cell(value: Any) -> Any:  # noqa: ANN401 - whatever a line holds
    """A value as CSV has it: what is no text or number as JSON, an empty list as nothing."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return json.dumps(value) if isinstance(value, bool) else value


def _encode_jsonl(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[bytes]:
    # ASCII with escapes, so that names that are not UTF-8 survive.
    while group := [json.dumps(line.to_json(columns)).encode() for line in islice(lines, LINES_AT_ONCE)]:
        yield b"\n".join([*group, b""])


def _encode_parquet(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only this format pays
    import pyarrow.parquet as pq  # noqa: PLC0415

    best = pa.struct([("label", pa.string()), ("label_id", pa.string()), ("score", pa.float64())])
    types = {"topk": pa.list_(best)} | dict.fromkeys(FLAG_COLUMNS, pa.bool_())
    types |= dict.fromkeys(SCORE_COLUMNS, pa.float64())
    schema = pa.schema([(column, types.get(column, pa.string())) for column in columns])
    sink = _Pieces()
    with pq.ParquetWriter(sink, schema) as writer:
        while group := [_valid_text(line.to_json(columns)) for line in islice(lines, PARQUET_ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            yield sink.take()
    yield sink.take()


def _valid_text(values: dict[str, Any]) -> dict[str, Any]:
    """Parquet's strings are UTF-8 by definition; a name that is not is written escaped."""
    try:
        values["image"].encode()
    except UnicodeEncodeError:
        return values | {"image": escape_name(values["image"])}
    return values


class _TextLayer:
    """What `csv.writer` needs of a file, over a list of pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def write(self, text: str) -> None:
        try:
            self._pieces.append(text.encode(errors="surrogateescape"))
        except UnicodeEncodeError:
            # A surrogate that stands for no byte: a manifest can hold one, a file system cannot.
            self._pieces.append(escape_name(text).encode())


class _Pieces(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - whatever holds bytes
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        piece = b"".join(self._written)
        self._written.clear()
        return piece


_ENCODERS: dict[TableFormat, Callable[[Iterator[Line], Sequence[str]], Iterator[bytes]]] = {
    TableFormat.CSV: _encode_csv,
    TableFormat.JSONL: _encode_jsonl,
    TableFormat.PARQUET: _encode_parquet,
}
