"""One database, SQLite or PostgreSQL: connections, transactions, and driver errors in our own words."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import DatabaseError as DriverDatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import DatabaseError

# How long a writer waits for another one on SQLite before it gives up.
SQLITE_BUSY_TIMEOUT_S = 60
# How long to wait before asking again for the one lock that SQLite does not wait for.
SQLITE_RETRY_S = 0.01
# How long to wait for a PostgreSQL server that does not answer.
CONNECT_TIMEOUT_S = 5
# Options of a URL whose names hold one of these are not shown.
SECRET_WORDS = ("password", "passwd", "secret", "token", "key")


class Database:
    """Connections to the ledger.

    Args:
        url: SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…` (`postgresql://` means the same).

    Raises:
        DatabaseError: the URL cannot be read or names another kind of database.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine: Engine | None = None

    @property
    def safe_url(self) -> str:
        """The URL for people, its secrets masked."""
        return mask(self.url)

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

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _sqlite_engine(self) -> Engine:
        if self.url.database:
            folder = Path(self.url.database).parent
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
        return create_engine(
            self.url, pool_pre_ping=True, pool_size=4, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise self._explained("does not answer", error) from error
        except DriverDatabaseError as error:
            # Its other kinds, a broken constraint or a value that does not fit, are mistakes of ours.
            if isinstance(error, IntegrityError | DataError | InternalError):
                raise
            raise self._explained("cannot be used", error) from error

    def _explained(self, problem: str, error: DBAPIError) -> DatabaseError:
        return DatabaseError(
            f"The database {self.safe_url} {problem}: {_first_line(error)}. "
            "Check that it runs and that LABELYARD_DATABASE_URL (or LABELYARD_HOME) is right; "
            "`labelyard doctor` looks closer."
        )


def mask(url: URL) -> str:
    """Render a URL for people: the password and whatever in the query may be one is hidden."""
    hidden = {key: "***" for key in url.query if any(word in key.lower() for word in SECRET_WORDS)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() in ("sqlite", "postgresql"):
            return url
    except (ArgumentError, NoSuchModuleError) as error:
        # The text itself may hold a password, so it is not repeated.
        raise DatabaseError(
            "LABELYARD_DATABASE_URL cannot be read. Expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME."
        ) from error
    raise DatabaseError(
        f"LABELYARD_DATABASE_URL names a {url.get_backend_name()} database. Expected sqlite or postgresql."
    )


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


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if str(error.orig).strip() else type(error.orig).__name__
