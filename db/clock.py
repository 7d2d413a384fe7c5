"""The database's clock, as seconds since 1970.

Leases are compared on one clock, the database's, because workers' clocks differ. Seconds as a plain number make
"expired" one portable comparison; SQLite has no interval type. See docs/adr/0003.
"""

from typing import Any

from sqlalchemy import Float, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class now_s(FunctionElement[float]):  # noqa: N801 - it reads as the SQL function that it is
    """The present moment by the database's clock, in seconds since 1970 (UTC)."""

    type = Float(53)
    inherit_cache = True
    name = "now_s"


@compiles(now_s, "postgresql")
def _postgresql(element: now_s, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401 - SQLAlchemy's hook
    # clock_timestamp moves within a transaction; now() stands still at its start and would shorten leases.
    del element, compiler, kwargs
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(now_s, "sqlite")
def _sqlite(element: now_s, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401 - SQLAlchemy's hook
    # unixepoch('subsec') needs SQLite 3.42; the Julian day has been there always, to the millisecond.
    del element, compiler, kwargs
    return "((julianday('now') - 2440587.5) * 86400.0)"


def read_now(session: Session) -> float:
    """Ask the database what time it is, in seconds since 1970 (UTC)."""
    return session.scalars(select(now_s())).one()
