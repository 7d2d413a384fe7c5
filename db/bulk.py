"""Many rows at once, by the shortest way that each database has: COPY on PostgreSQL, one executemany on SQLite.

Values go to the driver as they are, past SQLAlchemy's types, which cost more than the insert itself. Callers hand over
what the driver takes: numbers, text, None; names escaped, words by their value.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = tuple[Any, ...]
Key = TypeVar("Key")

# SQLite before 3.32 takes 999 parameters in a statement.
_KEYS_AT_A_TIME = 500


def insert_rows(session: Session, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert rows.

    Args:
        session: a writing transaction.
        table: its name.
        columns: what the values of a row are, in this order.
        rows: may be a generator; it is read once.

    Raises:
        sqlalchemy.exc.DBAPIError: as any statement may.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        _insert(connection, table, columns, rows)
    else:
        _copy(connection.connection.driver_connection, table, columns, rows)


def insert_new_rows(session: Session, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert those rows whose key is not there yet; the others are left as they are. COPY cannot do that.

    Args:
        session: a writing transaction.
        table: its name.
        columns: what the values of a row are, in this order.
        rows: in the order of their keys, so that two writers of the same rows queue and do not deadlock.
    """
    _insert(session.connection(), table, columns, rows, ending=" ON CONFLICT DO NOTHING")


def replace_rows(session: Session, table: str, columns: Sequence[str], rows: Iterable[Row], *, key: str) -> None:
    """Insert rows, in place of those that have the same key.

    Args:
        session: a writing transaction.
        table: its name.
        columns: what the values of a row are, in this order.
        rows: in the order of their keys, so that two writers of the same rows queue and do not deadlock.
        key: the column that tells rows apart.
    """
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
    _insert(session.connection(), table, columns, rows, ending=f" ON CONFLICT ({key}) DO UPDATE SET {changes}")


def in_parts(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Many keys, as many at a time as every database takes in a statement."""
    return (keys[first : first + _KEYS_AT_A_TIME] for first in range(0, len(keys), _KEYS_AT_A_TIME))


def select_rows(session: Session, query: str, values: Row, keys: Sequence[Any]) -> Sequence[Row]:
    """Read rows by many keys, without building the statement anew from its parts.

    Args:
        session: any transaction.
        query: with one `{}` for each of the values and one for the keys, in this order.
        values: what is compared.
        keys: what is looked for.
    """
    connection = session.connection()
    holder = _holder(connection)
    holders = [*(holder for _ in values), ", ".join(holder for _ in keys)]
    return [tuple(row) for row in connection.exec_driver_sql(query.format(*holders), (*values, *keys))]


def _holder(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"


def _insert(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row], *, ending: str = ""
) -> None:
    holders = ", ".join(_holder(connection) for _ in columns)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holders}){ending}"  # noqa: S608 - our own names
    if values := list(rows):
        connection.exec_driver_sql(statement, values)


def _copy(connection: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:  # noqa: ANN401 - psycopg's
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy would have said it, so that one place translates driver errors.
        raise DBAPIError.instance(f"COPY {table}", None, error, psycopg.Error) from error
