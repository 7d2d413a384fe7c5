"""Whether the database's tables are the ones this version expects, and bringing them there.

Checking costs one small query and does not import Alembic; upgrading does.
"""

from enum import Enum, auto
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from core.errors import DatabaseError, SchemaError
from db.database import Database

# The newest revision in db/migrations/versions; a test keeps it true.
HEAD_REVISION = "0007"
# An arbitrary number that names "someone upgrades Labelyard's schema" among PostgreSQL's advisory locks.
UPGRADE_LOCK = 7_305_801


class SchemaState(Enum):
    """How a database's tables compare with what this version expects."""

    EMPTY = auto()
    CURRENT = auto()
    OTHER = auto()


def schema_state(database: Database) -> tuple[SchemaState, str | None]:
    """Compare, and say which revision was found."""
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return SchemaState.EMPTY, None
        revision = session.scalars(text("SELECT version_num FROM alembic_version")).one_or_none()
    if revision is None:
        return SchemaState.EMPTY, None
    return (SchemaState.CURRENT if revision == HEAD_REVISION else SchemaState.OTHER), revision


def require_schema(database: Database) -> None:
    """Make sure that the tables are the expected ones; a new SQLite file gets them.

    Raises:
        SchemaError: the tables are missing on PostgreSQL, or of another version. Nothing was changed.
    """
    state, revision = schema_state(database)
    match state:
        case SchemaState.CURRENT:
            return
        case SchemaState.EMPTY if database.is_sqlite:
            upgrade(database)
        case SchemaState.EMPTY:
            raise SchemaError(f"The database {database.safe_url} has no tables yet. Run `labelyard db upgrade`.")
        case SchemaState.OTHER:
            raise SchemaError(
                f"The database {database.safe_url} has schema {revision}, this version of Labelyard needs "
                f"{HEAD_REVISION}. Run `labelyard db upgrade` (make a backup first); nothing was changed."
            )


def require_revision(session: Session) -> None:
    """Make sure that nobody has upgraded the tables under a process that runs; one small query.

    Raises:
        SchemaError: someone has.
    """
    revision = session.scalars(text("SELECT version_num FROM alembic_version")).one_or_none()
    if revision != HEAD_REVISION:
        raise SchemaError(
            f"The database was brought to schema {revision} while this process ran, which knows {HEAD_REVISION} alone. "
            "Start the version of Labelyard that fits; until then nothing is claimed here."
        )


def upgrade(database: Database) -> None:
    """Bring the tables to this version, in one transaction. Two at once queue behind each other.

    Raises:
        DatabaseError: the database was written by a newer version.
    """
    # Imported here because Alembic costs more start-up time than everything else in a `labelyard label`.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.write() as session:
        if not database.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        config.attributes["connection"] = session.connection()
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                f"The database {database.safe_url} cannot be upgraded: {error}. "
                "It was written by a newer version of Labelyard; use that one."
            ) from error
