"""What most commands begin with: settings, logging, and the ledger with the right tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from core.settings import Settings
from db.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """The settings and the ledger of one command."""

    settings: Settings
    database: Database


def read_settings() -> Settings:
    """Read the settings, with a readable error.

    Raises:
        UsageError: a setting cannot be read, or names a backbone that there is not.
    """
    from tomllib import TOMLDecodeError

    from pydantic import ValidationError

    from core.errors import UsageError
    from core.logs import configure_logging
    from core.settings import TOML_FILE
    from workers.ml.catalog import get_published_backbone

    try:
        settings = Settings()
    except TOMLDecodeError as error:
        raise UsageError(f"{TOML_FILE} cannot be read: {error}.") from error
    except ValidationError as error:
        raise UsageError("\n".join(_explain(problem) for problem in error.errors())) from error
    for name in settings.preload:
        get_published_backbone(name)
    configure_logging(settings)
    return settings


@contextmanager
def open_context() -> Iterator[Context]:
    """Read the settings and connect to the ledger.

    Raises:
        UsageError: a setting cannot be read.
        DatabaseError: the database does not answer, or needs `labelyard db upgrade`.
    """
    from db.schema import require_schema

    settings = read_settings()
    database = Database.of(settings)
    try:
        require_schema(database)
        yield Context(settings, database)
    finally:
        database.close()


def warn_of_missing_roots(settings: Settings) -> None:
    """Say which folders that may be read are not there: no mistake where they are mounted later, but else a typo."""
    import structlog

    from workers.access import missing_roots

    if roots := missing_roots(settings):
        structlog.get_logger(__name__).warning(
            "source_roots_missing",
            roots=",".join(roots),
            mend="LABELYARD_SOURCE_ROOTS names what is not there: make or mount it, or correct the setting",
        )


def _explain(problem: "ErrorDetails") -> str:
    from core.settings import ENV_PREFIX, Settings

    name = str(problem["loc"][0]) if problem["loc"] else "?"
    secret = "Secret" in str(Settings.model_fields[name].annotation) if name in Settings.model_fields else False
    received = "a value that is not shown" if secret else repr(problem["input"])
    return f"Setting {ENV_PREFIX}{name.upper()}: received {received}. {problem['msg']}."
