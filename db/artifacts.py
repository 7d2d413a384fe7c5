"""The artifacts store: a model's numbers as files in parts, checked by their sha256 whenever they are read.

A large file is written part by part, each its own transaction, so that neither a log nor a driver has to hold it all;
it counts only when a last, small transaction says so.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import DamagedModelError, LeaseLostError
from core.types import ArtifactKind
from db.clock import now_s
from db.database import Database
from db.model_tables import ArtifactPartTable, ArtifactTable, ModelTable

PART_BYTES = 8 * 1024**2


def write_artifact(database: Database, model_id: int, kind: ArtifactKind, data: bytes) -> int:
    """Write a file's parts. It does not count before `complete_artifacts`.

    Returns:
        The artifact's id.

    Raises:
        LeaseLostError: someone else completed an artifact of the model in the meantime.
    """
    offsets = range(0, len(data), PART_BYTES)
    with database.write() as session:
        artifact_id = session.scalars(
            insert(ArtifactTable)
            .values(
                model_id=model_id,
                kind=kind,
                num_bytes=len(data),
                num_parts=len(offsets),
                sha256=hashlib.sha256(data).hexdigest(),
                is_complete=False,
                created_at=now_s(),
            )
            .returning(ArtifactTable.id)
        ).one()
    for number, offset in enumerate(offsets):
        part = data[offset : offset + PART_BYTES]
        row = {"artifact_id": artifact_id, "number": number, "sha256": hashlib.sha256(part).hexdigest(), "data": part}
        try:
            with database.write() as session:
                session.execute(insert(ArtifactPartTable), [row])
        except IntegrityError as error:
            # Whoever has the lease now completed another file and deleted this one.
            raise LeaseLostError(f"What was being written of model {model_id} was deleted in the meantime.") from error
    return artifact_id


def complete_artifacts(session: Session, model_id: int, artifact_ids: Sequence[int]) -> None:
    """Make these the artifacts of a model; whatever else was stored of it is deleted.

    Args:
        session: a writing transaction.
        model_id: the model.
        artifact_ids: what `write_artifact` returned.
    """
    session.execute(
        delete(ArtifactTable).where(ArtifactTable.model_id == model_id, ArtifactTable.id.not_in(artifact_ids))
    )
    session.execute(update(ArtifactTable).where(ArtifactTable.id.in_(artifact_ids)).values(is_complete=True))


def find_artifact(session: Session, model_id: int, kind: ArtifactKind) -> ArtifactTable | None:
    """A model's complete artifact of one kind, if it has one."""
    return session.scalars(
        select(ArtifactTable)
        .where(ArtifactTable.model_id == model_id, ArtifactTable.kind == kind, ArtifactTable.is_complete)
        .order_by(ArtifactTable.id.desc())
        .limit(1)
    ).one_or_none()


def read_artifact(database: Database, model_id: int, kind: ArtifactKind) -> bytes | None:
    """Read a file and check it.

    Returns:
        None if the model has no such artifact.

    Raises:
        DamagedModelError: what is stored is not what was written; the message names it.
    """
    with database.read() as session:
        artifact = find_artifact(session, model_id, kind)
        if artifact is None:
            return None
        name = f"The {kind} of {session.get_one(ModelTable, model_id).label}"
        parts = (_read_part(session, artifact.id, number, name) for number in range(artifact.num_parts))
        data = b"".join(parts)
        if len(data) != artifact.num_bytes or hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise DamagedModelError(
                f"{name} is damaged: expected {artifact.num_bytes:,} bytes with sha256 {artifact.sha256}, received "
                f"{len(data):,} with another. {_MEND}"
            )
    return data


_MEND = "Restore the database from a backup, train the model again, or roll back to another version."


def _read_part(session: Session, artifact_id: int, number: int, name: str) -> bytes:
    # Part by part: a result set of all of them would hold the file twice.
    row = session.execute(
        select(ArtifactPartTable.data, ArtifactPartTable.sha256).where(
            ArtifactPartTable.artifact_id == artifact_id, ArtifactPartTable.number == number
        )
    ).one_or_none()
    if row is None:
        raise DamagedModelError(f"{name} is damaged: part {number} is missing. {_MEND}")
    data, sha256 = bytes(row.data), row.sha256
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedModelError(f"{name} is damaged: part {number} does not have its sha256 {sha256}. {_MEND}")
    return data
