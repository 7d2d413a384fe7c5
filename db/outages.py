"""What a driver's error means: a database that is away for a while, a disk that is full, or something that stays wrong.

Only the first two are worth another try. Knows nothing of what was being done.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, TypeVar

import psycopg
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InternalError

from core.errors import DatabaseAwayError, DatabaseError, DiskFullError

if TYPE_CHECKING:
    from tenacity import RetryCallState

logger = structlog.get_logger(__name__)

Result = TypeVar("Result")

# How long a unit of work is tried again: a restart takes seconds, a failover or a reboot minutes.
PATIENCE_S = 900.0
# Between two tries, in the beginning and at most. Many workers that wait must not all come back in the same moment, so
# each waits for a random part of that.
FIRST_WAIT_S = 0.1
MAX_WAIT_S = 5.0

# PostgreSQL's classes and codes of errors that pass. Source: its manual, appendix A.
_AWAY_CLASSES = ("08", "57P")  # no connection; shut down, crashed, starting up
_AWAY_CODES = frozenset(
    {
        "25006",  # read only: the server behind the address is a standby, until it has been promoted
        "40001",  # serialization failure
        "40P01",  # deadlock; this transaction was chosen to give way
        "53300",  # too many connections
        "55P03",  # a lock could not be had in time
    }
)
_FULL_CODES = frozenset({"53100"})  # disk full

_SQLITE_AWAY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# Writing into a full disk may also show as one of many kinds of input/output error.
_SQLITE_IO = sqlite3.SQLITE_IOERR
_NO_SPACE_BYTES = 1024**2


def explained(error: DBAPIError, *, safe_url: str, file: Path | None) -> DatabaseError | None:
    """Say in our own words what a driver's error means.

    Args:
        error: SQLAlchemy's.
        safe_url: which database, without its secrets.
        file: the database's, on SQLite.

    Returns:
        None for a mistake of ours: a broken constraint, a value that does not fit.
    """
    kind = _kind(error, file)
    if kind is DatabaseError and isinstance(error, IntegrityError | DataError | InternalError):
        return None
    if kind is DiskFullError:
        return DiskFullError(
            f"The disk of the database {safe_url} is full. Nothing is lost: make space, and work goes on by itself."
        )
    problem = "does not answer" if kind is DatabaseAwayError else "cannot be used"
    return kind(
        f"The database {safe_url} {problem}: {_first_line(error)}. "
        "Check that it runs and that LABELYARD_DATABASE_URL (or LABELYARD_HOME) is right; "
        "`labelyard doctor` looks closer."
    )


def try_again(
    attempt: Callable[[], Result],
    first_error: DatabaseAwayError,
    on_wait: Callable[[], None],
    *,
    patience_s: float | None = None,
) -> Result:
    """Try again and again what has failed because the database was away.

    Args:
        attempt: one whole transaction.
        first_error: how it failed.
        on_wait: called between two tries; what it raises ends the waiting.
        patience_s: for how long; None: `PATIENCE_S`, and where the disk is full until there is space.

    Raises:
        DatabaseAwayError: it was away for too long.
    """
    # Imported by those who need it: it takes longer than opening a database.
    from tenacity import Retrying, retry_if_exception_type, wait_random_exponential  # noqa: PLC0415

    logger.warning("transaction_failed_for_now", problem=str(first_error))
    on_wait()
    again = Retrying(
        retry=retry_if_exception_type(DatabaseAwayError),
        wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=MAX_WAIT_S),
        stop=lambda state: _is_hopeless(state, patience_s),
        before_sleep=lambda _: on_wait(),
        reraise=True,
    )
    result = again(attempt)
    logger.warning("transaction_succeeded", num_tries=again.statistics["attempt_number"] + 1)
    return result


def _is_hopeless(state: "RetryCallState", patience_s: float | None) -> bool:
    waited_s = state.seconds_since_start or 0.0
    if patience_s is not None:
        return waited_s > patience_s
    # Space is made by people, who may be asleep.
    waits_for_space = state.outcome is not None and isinstance(state.outcome.exception(), DiskFullError)
    return not waits_for_space and waited_s > PATIENCE_S


def _kind(error: DBAPIError, file: Path | None) -> type[DatabaseError]:
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        return _sqlite_kind(origin, file)
    code = origin.sqlstate if isinstance(origin, psycopg.Error) else None
    if code in _FULL_CODES:
        return DiskFullError
    # Without a code the server has said nothing: the connection broke, or there was none.
    is_away = code is None and isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError)
    if is_away or error.connection_invalidated or code in _AWAY_CODES or (code or "").startswith(_AWAY_CLASSES):
        return DatabaseAwayError
    return DatabaseError


def _sqlite_kind(error: sqlite3.Error, file: Path | None) -> type[DatabaseError]:
    # The primary code is the low byte of the extended one.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError
    if code == _SQLITE_IO and file is not None and disk_usage(file.parent).free < _NO_SPACE_BYTES:
        return DiskFullError
    return DatabaseAwayError if code in _SQLITE_AWAY else DatabaseError


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if str(error.orig).strip() else type(error.orig).__name__
