"""The database's tables for people: what SQLAlchemy knows of them, with the comments that stand beside each column.

The comments are read from the source: `name: Mapped[str] = mapped_column(...)  # what it means`. A comment on a line of
its own is about the columns below it that have none. Nothing is asked of a database.
"""

import ast
import importlib
import inspect
import io
import pkgutil
import tokenize
from typing import Any

from sqlalchemy import Column, Enum
from sqlalchemy.dialects import registry

import db
from db.base import Base

_DIALECT = registry.load("postgresql")()


def tables_reference() -> str:
    """All tables, each with its columns, types (PostgreSQL's) and meanings."""
    for module in pkgutil.iter_modules(db.__path__, "db."):
        if module.name.endswith("tables"):
            importlib.import_module(module.name)
    classes = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda mapped: str(mapped.__tablename__))
    return "\n".join(_table(mapped) for mapped in classes)


def _table(mapped: type[Base]) -> str:
    comments = column_comments(inspect.getsource(mapped))
    lines = [f"## `{mapped.__tablename__}`", "", inspect.getdoc(mapped) or "", ""]
    lines += ["| column | type | meaning |", "| --- | --- | --- |"]
    lines += [
        f"| `{column.name}` | {_type(column)} | {_meaning(column, comments.get(column.name, ''))} |"
        for column in Base.metadata.tables[mapped.__tablename__].columns
    ]
    return "\n".join([*lines, ""])


def _type(column: Column[Any]) -> str:
    name = str(column.type.compile(dialect=_DIALECT)).lower()
    return f"{name}, null" if column.nullable else name


def _meaning(column: Column[Any], comment: str) -> str:
    facts = ["primary key"] if column.primary_key else []
    facts += [f"`{key.target_fullname}`" for key in sorted(column.foreign_keys, key=lambda key: key.target_fullname)]
    facts += [comment.replace("|", "\\|")] if comment else []
    if isinstance(column.type, Enum):
        facts.append("one of " + ", ".join(f"`{word}`" for word in column.type.enums))
    return "; ".join(facts)


def column_comments(source: str) -> dict[str, str]:
    """What the comments of a mapped class say of each column.

    Args:
        source: the class's source, from its first line on.
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    found: dict[str, str] = {}
    above = ""
    for statement in ast.walk(ast.parse(source)):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        own = [token for line, token in comments.items() if statement.lineno <= line <= (statement.end_lineno or 0)]
        before = comments.get(statement.lineno - 1)
        if before is not None and before.line.lstrip().startswith("#"):
            above = _text(before)
        elif own:
            above = ""
        found[statement.target.id] = " ".join(map(_text, own)) or above
    return found


def _text(token: tokenize.TokenInfo) -> str:
    return token.string.removeprefix("#").strip()
