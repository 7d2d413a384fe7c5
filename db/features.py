"""The features store: what a backbone made of an image, by the image's content, so that it is computed once.

Vectors are bytes here; that they are float32 is known to those who compute with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlalchemy.orm import Session

from core.features import FeatureKey
from db.bulk import in_parts, insert_new_rows, select_rows
from db.clock import now_s
from db.model_tables import FeatureTable


def find_features(session: Session, extractor: str, keys: Sequence[FeatureKey]) -> dict[FeatureKey, bytes]:
    """Those of these vectors that are stored.

    Args:
        session: any transaction.
        extractor: backbone and preprocessing.
        keys: which images.
    """
    hashes = sorted({key.sha256 for key in keys})
    wanted = set(keys)
    found: dict[FeatureKey, bytes] = {}
    for some in in_parts(hashes):
        query = "SELECT sha256, variant, vector FROM feature WHERE extractor = {} AND sha256 IN ({})"
        for sha256, variant, vector in select_rows(session, query, (extractor,), some):
            if (key := FeatureKey(sha256, variant)) in wanted:
                found[key] = bytes(vector)
    return found


def save_features(session: Session, extractor: str, vectors: Mapping[FeatureKey, bytes]) -> None:
    """Store vectors; those that another worker stored in the meantime are left as they are.

    Args:
        session: a writing transaction.
        extractor: backbone and preprocessing.
        vectors: (F,) float32, little-endian, by image.
    """
    if not vectors:
        return
    now = session.scalars(select(now_s())).one()
    rows = sorted((key.sha256, extractor, key.variant, vector, now) for key, vector in vectors.items())
    insert_new_rows(session, "feature", ("sha256", "extractor", "variant", "vector", "created_at"), rows)


@dataclass(frozen=True, slots=True)
class FeatureUsage:
    """What the features of one network and preprocessing take."""

    extractor: str
    num_vectors: int
    num_bytes: int  # of the vectors; keys and indices come on top
    stored_at: tuple[float | None, float | None]  # the oldest and the newest; None: before this was noted


def feature_usage(session: Session) -> list[FeatureUsage]:
    """What is stored, by network and preprocessing, the largest first."""
    rows = session.execute(
        select(
            FeatureTable.extractor,
            func.count(),
            func.min(FeatureTable.created_at),
            func.max(FeatureTable.created_at),
        ).group_by(FeatureTable.extractor)
    ).all()
    found = [
        FeatureUsage(extractor, count, count * _vector_length(session, extractor), (oldest, newest))
        for extractor, count, oldest, newest in rows
    ]
    return sorted(found, key=lambda usage: (-usage.num_bytes, usage.extractor))


def prune_features(
    session: Session, *, extractors: Sequence[str] | None, older_than_s: float | None, limit: int
) -> int:
    """Delete stored vectors; they are computed again when they are wanted.

    Args:
        session: a writing transaction.
        extractors: of these alone; None: of all.
        older_than_s: only those that were stored longer ago than this, or before that was noted; None: whenever.
        limit: how many at most, so that a transaction stays small.

    Returns:
        How many were deleted; below `limit` there are no more.
    """
    key = (FeatureTable.sha256, FeatureTable.extractor, FeatureTable.variant)
    conditions: list[ColumnElement[bool]] = []
    if extractors is not None:
        conditions.append(FeatureTable.extractor.in_(extractors))
    if older_than_s is not None:
        conditions.append(func.coalesce(FeatureTable.created_at, 0.0) < now_s() - older_than_s)
    chosen = select(*key).where(*conditions).limit(limit)
    result = session.execute(delete(FeatureTable).where(tuple_(*key).in_(chosen)))
    return int(result.rowcount)  # type: ignore[attr-defined]


def evict_oldest(session: Session, extractor: str, *, limit: int) -> int:
    """Delete those vectors of one network and preprocessing that were stored first; returns how many."""
    key = (FeatureTable.sha256, FeatureTable.variant)
    chosen = select(*key).where(FeatureTable.extractor == extractor).order_by(FeatureTable.created_at).limit(limit)
    result = session.execute(delete(FeatureTable).where(FeatureTable.extractor == extractor, tuple_(*key).in_(chosen)))
    return int(result.rowcount)  # type: ignore[attr-defined]


def _vector_length(session: Session, extractor: str) -> int:
    # All vectors of one extractor are of one length, and a sum would read all of them.
    one = select(func.length(FeatureTable.vector)).where(FeatureTable.extractor == extractor).limit(1)
    return int(session.scalars(one).one())
