"""What all tables share: the declarative base and the column types.

Times are seconds since 1970 (UTC) by the database's own clock; `db.clock` says why.
"""

from enum import StrEnum

from sqlalchemy import BigInteger, Enum, Integer, MetaData, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase

from core.items import escape_name, unescape_name

# SQLite numbers rows by itself only for a column that is called exactly INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


class FileName(TypeDecorator[str]):
    """Text that is or quotes a file name, whose undecodable bytes are stored escaped."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape on the way in."""
        del dialect
        return None if value is None else escape_name(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Unescape on the way out."""
        del dialect
        return None if value is None else unescape_name(value)


def word(enum: type[StrEnum]) -> Enum:
    """Store an enum by its value as plain text, so that a new word needs no new type."""
    return Enum(enum, native_enum=False, create_constraint=False, length=32, values_callable=_values)


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
