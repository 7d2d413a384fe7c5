"""Sorting more names than should be in memory: sorted runs on disk, merged as they are read.

A folder of ten million files is listed by the operating system in no order, but planning needs one to be resumed.
"""

import heapq
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, NamedTuple

RUN_SIZE = 50_000  # entries sorted in memory at a time; names of 20 bytes make about 8 MiB
_READ_SIZE = 128  # entries read back from a run at a time
_PREFIX = struct.Struct("<BH")  # kind, length of the name in bytes


class Entry(NamedTuple):
    """One name in a folder."""

    name: bytes
    kind: int  # an `EntryKind`; kept as a number because there may be millions


def sort_entries(entries: Iterable[Entry], *, run_size: int = RUN_SIZE) -> Iterator[Entry]:
    """Sort entries by the bytes of their names in memory that does not grow with their number.

    Args:
        entries: in any order.
        run_size: how many to sort in memory at a time.
    """
    iterator = iter(entries)
    run = sorted(islice(iterator, run_size))
    if len(run) < run_size:
        yield from run
        return
    # One file for all runs: a file each would meet the limit on open files.
    with TemporaryFile(prefix="labelyard-names-") as file:
        extents = []
        while run:
            extents.append(_write_run(file, run))
            run = sorted(islice(iterator, run_size))
        with closing(_merge(file, extents)) as merged:
            yield from merged


def _merge(file: IO[bytes], extents: list[tuple[int, int]]) -> Generator[Entry, None, None]:
    yield from heapq.merge(*(_read_run(file, start, num_entries) for start, num_entries in extents))


def _write_run(file: IO[bytes], run: list[Entry]) -> tuple[int, int]:
    start = file.tell()
    file.writelines(_PREFIX.pack(entry.kind, len(entry.name)) + entry.name for entry in run)
    return start, len(run)


def _read_run(file: IO[bytes], start: int, num_entries: int) -> Iterator[Entry]:
    """Read a run back; the file's position belongs to whichever run reads."""
    for first in range(0, num_entries, _READ_SIZE):
        file.seek(start)
        block = []
        for _ in range(min(_READ_SIZE, num_entries - first)):
            kind, length = _PREFIX.unpack(file.read(_PREFIX.size))
            block.append(Entry(file.read(length), kind))
        start = file.tell()
        yield from block
