"""What a PostgreSQL role needs to do its part, as SQL made from the mapped tables.

Only `labelyard db upgrade` needs the tables' owner. A worker's role reads all tables and writes what workers write;
neither role can drop, alter, truncate or create anything. See docs/adr/0023.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute

import db.label_tables
import db.schedule_tables  # noqa: F401 - imported, as the lines above, for the tables that they declare
from db.api_tables import TokenTable
from db.base import Base
from db.model_tables import (
    ArtifactPartTable,
    ArtifactTable,
    ClassLabelTable,
    ContentTable,
    EpochTable,
    EvaluationTable,
    FeatureTable,
    ModelTable,
    PromotionTable,
    SampleTable,
)
from db.tables import ChunkTable, JobTable, ResultTable, WorkerTable

SCHEMA = "public"


def _columns(*columns: InstrumentedAttribute[Any]) -> str:
    return f"UPDATE ({', '.join(column.key for column in columns)})"


# What workers write, beside reading every table.
_WORKERS_WRITE: dict[type[Base], str] = {
    ArtifactPartTable: "INSERT",
    ArtifactTable: "INSERT, UPDATE, DELETE",
    ClassLabelTable: "INSERT",
    ChunkTable: "INSERT, UPDATE",  # a chunk that kills its workers is cut in two
    ContentTable: "INSERT, UPDATE",
    EpochTable: "INSERT, DELETE",  # an epoch that is trained again replaces itself
    EvaluationTable: "INSERT",
    FeatureTable: "INSERT",
    # The last chunk ends its job; what a job asks for is not theirs to change.
    JobTable: _columns(JobTable.state, JobTable.finished_at, JobTable.active_s, JobTable.error),
    ModelTable: _columns(ModelTable.ready_at, ModelTable.fingerprint, ModelTable.temperature, ModelTable.training),
    PromotionTable: "INSERT",
    ResultTable: "INSERT, DELETE",  # a retry replaces the error row
    SampleTable: _columns(SampleTable.used_as, SampleTable.left_out, SampleTable.sha256),
    WorkerTable: "INSERT, UPDATE",
}
_EVERYTHING = "INSERT, UPDATE, DELETE"


class Part(StrEnum):
    """What a role is for."""

    WORKER = "worker"
    ORCHESTRATOR = "orchestrator"


def grants(part: Part, role: str) -> list[str]:
    """SQL that lets a role do its part, to be run by the tables' owner; running it again changes nothing.

    Args:
        part: what the role is for.
        role: its name, as PostgreSQL spells it.
    """
    name = postgresql.dialect().identifier_preparer.quote_identifier(role)  # type: ignore[no-untyped-call]
    statements = [
        # Older servers let everybody create tables here.
        f"REVOKE CREATE ON SCHEMA {SCHEMA} FROM PUBLIC;",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {name};",
        f"GRANT SELECT ON {SCHEMA}.alembic_version TO {name};",
    ]
    written = {mapper.local_table: _written(part, mapper.class_) for mapper in Base.registry.mappers}
    for table in Base.metadata.sorted_tables:
        if part is Part.WORKER and table.name == TokenTable.__tablename__:
            # Whose tokens there are is no affair of workers'.
            continue
        rights = f"SELECT, {written[table]}" if written[table] else "SELECT"
        statements.append(f"GRANT {rights} ON {SCHEMA}.{table.name} TO {name};")
        if "INSERT" in rights and (sequence := _sequence(table)):
            statements.append(f"GRANT USAGE ON SEQUENCE {SCHEMA}.{sequence} TO {name};")
    return statements


def _written(part: Part, table: type[Base]) -> str:
    return _WORKERS_WRITE.get(table, "") if part is Part.WORKER else _EVERYTHING


def _sequence(table: Table) -> str | None:
    column = table.autoincrement_column
    return None if column is None else f"{table.name}_{column.name}_seq"
