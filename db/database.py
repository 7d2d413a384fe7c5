"""One database, SQLite or PostgreSQL: connections, transactions, and driver errors in our own words."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Self, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import DatabaseAwayError, DatabaseError, DiskFullError
from core.settings import Settings
from db.outages import explained, try_again
from db.urls import mask, parse

Result = TypeVar("Result")

# How long a writer waits for another one on SQLite before it gives up.
SQLITE_BUSY_TIMEOUT_S = 60
# How long to wait before asking again for the one lock that SQLite does not wait for.
SQLITE_RETRY_S = 0.01
# libpq's. A PostgreSQL server that does not answer, or a network that swallows what is sent, is noticed within half a
# minute; by itself TCP would wait for many.
POSTGRESQL_CONNECT_ARGUMENTS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}


class Database:
    """Connections to the ledger.

    `write` and `read` are one transaction. `transact` and `query` are one that is made again if the database was away,
    or broke off in the middle; whatever has to go on through a restart of the server uses these.

    Args:
        url: SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…` (`postgresql://` means the same).
        min_free_bytes: of an SQLite file's disk; with less, nothing that makes the database grow is begun.
        patience_s: for how long a unit of work is tried again, also where the disk is full; None: for minutes, and
            until there is space.

    Raises:
        DatabaseError: the URL cannot be read or names another kind of database.
    """

    def __init__(self, url: str, *, min_free_bytes: int = 0, patience_s: float | None = None) -> None:
        self.url = parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._min_free_bytes = min_free_bytes
        self._patience_s = patience_s
        self._engine: Engine | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The ledger that settings name."""
        return cls(settings.database_url_text, min_free_bytes=settings.min_free_bytes)

    def for_those_who_wait(self, patience_s: float) -> Self:
        """The same database, over connections of its own, for work whose answer somebody waits for."""
        url = self.url.render_as_string(hide_password=False)
        return type(self)(url, min_free_bytes=self._min_free_bytes, patience_s=patience_s)

    @property
    def safe_url(self) -> str:
        """The URL for people, its secrets masked."""
        return mask(self.url)

    @property
    def file(self) -> Path | None:
        """An SQLite database's file; None for a server, or one in memory."""
        is_file = self.is_sqlite and self.url.database not in (None, "", ":memory:")
        return Path(str(self.url.database)) if is_file else None

    @property
    def engine(self) -> Engine:
        """The connection pool, made at first use."""
        if self._engine is None:
            self._engine = self._sqlite_engine() if self.is_sqlite else self._postgresql_engine()
        return self._engine

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that writes: committed at the end, rolled back if anything is raised.

        On SQLite it takes the write lock at its start, so that two writers queue and never deadlock.
        """
        with self._translated(), Session(self.engine) as session:
            session.connection(execution_options={"begin": "BEGIN IMMEDIATE"})
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only reads."""
        with self._translated(), Session(self.engine) as session:
            yield session

    def transact(
        self,
        work: Callable[[Session], Result],
        *,
        grows: bool = False,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Result:
        """Do a unit of work in a transaction of its own that writes, again and again while the database is away.

        A connection that breaks while it commits leaves open whether it has; work must come out right either way.

        Args:
            work: what to do; done anew in each try.
            grows: whether it adds many rows, and so waits where there is little space on the disk.
            on_wait: called between two tries; what it raises ends the waiting.

        Raises:
            DatabaseAwayError: the database was away for too long.
            DatabaseError: the database cannot be used.
        """

        def attempt() -> Result:
            if grows:
                self.require_space()
            with self.write() as session:
                return work(session)

        return self._until_it_answers(attempt, on_wait)

    def query(self, work: Callable[[Session], Result], *, on_wait: Callable[[], None] = lambda: None) -> Result:
        """Ask something in a transaction of its own that only reads, again and again while the database is away.

        Raises:
            DatabaseAwayError: the database was away for too long.
            DatabaseError: the database cannot be used.
        """

        def attempt() -> Result:
            with self.read() as session:
                return work(session)

        return self._until_it_answers(attempt, on_wait)

    def require_space(self) -> None:
        """Make sure that an SQLite file's disk has room for more. Servers look after their own.

        Raises:
            DiskFullError: it has not.
        """
        if self.file is None or not self._min_free_bytes:
            return
        num_free = disk_usage(self.file.parent).free
        if num_free < self._min_free_bytes:
            raise DiskFullError(
                f"The disk of {self.file} has {num_free:,} bytes left, fewer than the {self._min_free_bytes:,} that "
                "LABELYARD_MIN_FREE_BYTES keeps. Nothing is lost: make space, and work goes on by itself."
            )

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _sqlite_engine(self) -> Engine:
        if self.file is not None:
            folder = self.file.parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseError(
                    f"The state folder {folder} cannot be made: {error.strerror}. "
                    "Set LABELYARD_HOME to a folder that you may write to."
                ) from error
        engine = create_engine(self.url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgresql_engine(self) -> Engine:
        # A connection that died while it was idle is replaced before use, not found dead in mid-transaction.
        return create_engine(self.url, pool_pre_ping=True, pool_size=4, connect_args=POSTGRESQL_CONNECT_ARGUMENTS)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            translated = explained(error, safe_url=self.safe_url, file=self.file)
            if translated is None:
                raise
            raise translated from error
        except PoolTimeoutError as error:
            raise DatabaseAwayError(
                f"All connections of this process with the database {self.safe_url} are in use. Try again in a while."
            ) from error

    def _until_it_answers(self, attempt: Callable[[], Result], on_wait: Callable[[], None]) -> Result:
        try:
            return attempt()
        except DatabaseAwayError as error:
            return try_again(attempt, error, on_wait, patience_s=self._patience_s)


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    # The driver must not open transactions by itself: it would begin them as readers, which then cannot write.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    _use_write_ahead_log(cursor)
    cursor.close()


def _use_write_ahead_log(cursor: DBAPICursor) -> None:
    # A new file is switched once. Of two processes that do so in the same moment SQLite refuses one at once, whatever
    # time it has to wait for other locks.
    give_up_at_s = time.monotonic() + SQLITE_BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at_s:
                raise
            time.sleep(SQLITE_RETRY_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
