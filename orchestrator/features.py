"""What the kept features take, and letting go of some."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from db.contents import prune_contents
from db.database import Database
from db.features import feature_usage, prune_features

# Vectors that are deleted in one transaction; others write in between.
PRUNE_SIZE = 5000
SECONDS_PER_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class FeatureSummary:
    """What the features of one network and preprocessing take."""

    network: str
    preprocessing: str
    num_vectors: int
    num_bytes: int
    newest_at: float | None  # seconds since 1970; None: it was not noted

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def list_features(database: Database) -> list[FeatureSummary]:
    """What is stored, the largest first."""
    with database.read() as session:
        found = feature_usage(session)
    return [
        FeatureSummary(*_split_name(usage.extractor), usage.num_vectors, usage.num_bytes, usage.stored_at[1])
        for usage in found
    ]


def prune(database: Database, *, network: str | None, days: float | None) -> int:
    """Delete stored vectors, and forget what is in files.

    Args:
        database: where they are.
        network: of this one alone, as `list_features` names it; None: of all.
        days: only those that were stored longer ago than this; None: whenever.

    Returns:
        How many vectors were deleted.

    Raises:
        UsageError: nothing is stored of a network of that name.
    """
    extractors = None if network is None else _extractors_of(database, network)
    older_than_s = None if days is None else days * SECONDS_PER_DAY
    if extractors is None:
        # What is in files is noted for the sake of all networks.
        _delete_in_steps(database, partial(prune_contents, older_than_s=older_than_s, limit=PRUNE_SIZE))
    return _delete_in_steps(
        database, partial(prune_features, extractors=extractors, older_than_s=older_than_s, limit=PRUNE_SIZE)
    )


def _delete_in_steps(database: Database, delete: Callable[[Session], int]) -> int:
    num_deleted = 0
    while True:
        num = database.transact(delete)
        num_deleted += num
        if num < PRUNE_SIZE:
            return num_deleted


def _extractors_of(database: Database, network: str) -> list[str]:
    with database.read() as session:
        names = [usage.extractor for usage in feature_usage(session)]
    found = [name for name in names if _split_name(name)[0] == network]
    if not found:
        stored = ", ".join(sorted({_split_name(name)[0] for name in names})) or "none"
        raise UsageError(f"No features of {network!r} are stored. Stored are those of: {stored}.")
    return found


def _split_name(extractor: str) -> tuple[str, str]:
    network, _, preprocessing = extractor.partition("/")
    return network, preprocessing.removeprefix("imagenet/").replace("/", " ")
