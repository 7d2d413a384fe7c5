"""The store of uploads: what was sent, how much, by whom. Knows nothing of the folders in which the files lie."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.errors import UnknownUploadError
from db.api_tables import UploadTable
from db.clock import read_now


def add_upload(session: Session, upload_id: str, name: str, *, token_id: str | None) -> UploadTable:
    """Note an upload that has no files yet."""
    upload = UploadTable(
        id=upload_id, name=name, num_files=0, num_bytes=0, created_at=read_now(session), token_id=token_id
    )
    session.add(upload)
    session.flush()
    return upload


def get_upload(session: Session, upload_id: str) -> UploadTable:
    """One upload.

    Raises:
        UnknownUploadError: there is none of that id.
    """
    upload = session.get(UploadTable, upload_id)
    if upload is None:
        raise UnknownUploadError(
            f"No upload has the id {upload_id!r}; it may have been deleted. GET /uploads lists them."
        )
    return upload


def grow_upload(session: Session, upload_id: str, *, num_files: int, num_bytes: int) -> None:
    """Note that files were added."""
    session.execute(
        update(UploadTable)
        .where(UploadTable.id == upload_id)
        .values(num_files=UploadTable.num_files + num_files, num_bytes=UploadTable.num_bytes + num_bytes)
    )


def list_uploads(session: Session, *, before: tuple[float, str] | None = None, limit: int) -> Sequence[UploadTable]:
    """Uploads, the newest first.

    Args:
        session: any transaction.
        before: time and id of one; only older ones are listed.
        limit: at most so many.
    """
    query = select(UploadTable).order_by(UploadTable.created_at.desc(), UploadTable.id.desc()).limit(limit)
    if before is not None:
        at_s, upload_id = before
        query = query.where(
            (UploadTable.created_at < at_s) | ((UploadTable.created_at == at_s) & (UploadTable.id < upload_id))
        )
    return session.scalars(query).all()


def remove_upload(session: Session, upload_id: str) -> None:
    """Forget an upload.

    Raises:
        UnknownUploadError: there is none of that id.
    """
    session.delete(get_upload(session, upload_id))
