"""The contents store: what was in a local file when it was last read, so that it need not be read again.

A file is known by its place and told from what it was by its stamp. Knows nothing of images.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.bulk import in_parts, replace_rows, select_rows
from db.clock import now_s
from db.model_tables import ContentTable


@dataclass(frozen=True, slots=True)
class Content:
    """What was in a file."""

    stamp: str  # size, times and inode; whatever has another may hold something else
    sha256: str  # of its bytes


def find_contents(session: Session, places: Sequence[str]) -> dict[str, Content]:
    """What is known of these files.

    Args:
        session: any transaction.
        places: sha256 of what each is called.
    """
    found: dict[str, Content] = {}
    for some in in_parts(places):
        for place, stamp, sha256 in select_rows(
            session, "SELECT place, stamp, sha256 FROM content WHERE place IN ({})", (), some
        ):
            found[place] = Content(stamp, sha256)
    return found


def save_contents(session: Session, contents: Collection[tuple[str, Content]]) -> None:
    """Note what is in files, in place of what was known of them.

    Args:
        session: a writing transaction.
        contents: each with its file's place.
    """
    if not contents:
        return
    now = session.scalars(select(now_s())).one()
    # In the order of the key, so that two writers of the same files queue and do not deadlock.
    rows = sorted((place, content.stamp, content.sha256, now) for place, content in contents)
    replace_rows(session, "content", ("place", "stamp", "sha256", "noted_at"), rows, key="place")


def count_contents(session: Session, *, older_than_s: float | None = None) -> int:
    """How many files are known, or were read longer ago than this."""
    query = select(func.count()).select_from(ContentTable)
    if older_than_s is not None:
        query = query.where(ContentTable.noted_at < now_s() - older_than_s)
    return session.scalars(query).one()


def prune_contents(session: Session, *, older_than_s: float | None, limit: int) -> int:
    """Forget files; they are read again when they are wanted.

    Args:
        session: a writing transaction.
        older_than_s: only those that were read longer ago than this; None: whenever.
        limit: how many at most, so that a transaction stays small.

    Returns:
        How many were forgotten; below `limit` there are no more.
    """
    chosen = select(ContentTable.place).limit(limit)
    if older_than_s is not None:
        chosen = chosen.where(ContentTable.noted_at < now_s() - older_than_s)
    result = session.execute(delete(ContentTable).where(ContentTable.place.in_(chosen)))
    return int(result.rowcount)  # type: ignore[attr-defined]
