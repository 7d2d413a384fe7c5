"""Giving an SQLite file's empty pages back to the disk. PostgreSQL does the like by itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

# Copying the file takes as long as reading it, so it has to pay.
MIN_EMPTY_SHARE = 0.25
MIN_EMPTY_BYTES = 16 * 1024**2
# How long to wait until nobody writes.
TIMEOUT_S = 10.0


def compact(file: Path) -> int:
    """Write a database file anew without its empty pages, if that pays and nobody is in the way.

    Returns:
        By how many bytes it became smaller.
    """
    before = file.stat().st_size
    try:
        with closing(sqlite3.connect(file, timeout=TIMEOUT_S, isolation_level=None)) as connection:
            (num_empty,), (num_pages,), (page_size,) = (
                connection.execute(question).fetchone()
                for question in ("PRAGMA freelist_count", "PRAGMA page_count", "PRAGMA page_size")
            )
            if num_empty * page_size < MIN_EMPTY_BYTES or num_empty < MIN_EMPTY_SHARE * num_pages:
                return 0
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        # Someone is at work, or the disk has no room for the copy; the pages stay for what is stored next.
        return 0
    return max(before - file.stat().st_size, 0)
