"""The workers store: who works, what each has loaded, and what keeps it from working."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.clock import now_s
from db.tables import WorkerTable


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """Which process a worker is."""

    id: str  # host:pid of the process that is supervised, kept over restarts of its child
    host: str
    pid: int  # of the process that computes


def report(
    session: Session, identity: WorkerIdentity, *, backbone_loads: Mapping[str, int], problem: str | None
) -> None:
    """Write a worker's own row."""
    now = session.scalars(select(now_s())).one()
    row = session.get(WorkerTable, identity.id)
    started_at = row.started_at if row is not None and row.pid == identity.pid else now
    session.merge(
        WorkerTable(
            id=identity.id,
            host=identity.host,
            pid=identity.pid,
            started_at=started_at,
            seen_at=now,
            backbone_loads=dict(backbone_loads),
            problem=problem,
        )
    )
