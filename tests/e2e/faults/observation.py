"""Looking into the ledger from outside: who holds what, when it went on, and whether each image has its one row.

All times are the database's. A database that is away is asked again.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from core.errors import DatabaseError
from db.database import Database

# Longer than any scenario keeps a database away.
PATIENCE_S = 180.0
# Scores of one network on one machine; batches of another size may round otherwise.
SCORE_TOLERANCE = 1e-3
NOW = {"postgresql": "extract(epoch from clock_timestamp())", "sqlite": "(julianday('now') - 2440587.5) * 86400.0"}

# An image's file name, and the class and the score that it gets, or the reason of its error.
Labels = Mapping[str, tuple[int, float] | str]


@dataclass(frozen=True, slots=True)
class Held:
    """A lease."""

    chunk_id: int
    attempt: int
    worker_id: str


@dataclass(slots=True)
class Damage:
    """What must be none."""

    lost: int = 0
    duplicated: int = 0


def ask(ledger: Database, sql: str, **values: Any) -> Sequence[Row[Any]]:
    """Query the ledger."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            with ledger.read() as session:
                return session.execute(text(sql), values).all()
        except DatabaseError:
            if time.monotonic() > give_up_at_s:
                raise
            time.sleep(0.2)


def now_s(ledger: Database) -> float:
    """The present moment by the database's clock."""
    return float(ask(ledger, f"SELECT {NOW[ledger.url.get_backend_name()]}")[0][0])


def leases(ledger: Database, worker_id: str | None = None) -> list[Held]:
    """The leases of a worker, or of all."""
    sql = "SELECT id, attempt, worker_id FROM chunk WHERE state = 'leased'"
    found = [Held(*row) for row in ask(ledger, sql)]
    return found if worker_id is None else [held for held in found if held.worker_id == worker_id]


def children(ledger: Database) -> dict[str, int]:
    """The process that computes, of every worker that has said so."""
    return {str(row[0]): int(row[1]) for row in ask(ledger, "SELECT id, pid FROM worker")}


def states(ledger: Database, job_ids: Collection[int]) -> list[str]:
    """The states of jobs."""
    wanted = set(job_ids)
    return [str(row[1]) for row in ask(ledger, "SELECT id, state FROM job") if row[0] in wanted]


class Recoveries:
    """Follows work that a fault interrupted until it goes on.

    Args:
        ledger: where the leases are.
    """

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._open: list[tuple[float, set[Held]]] = []
        self.seconds: list[float] = []

    def add(self, held: Collection[Held], at_s: float) -> None:
        """One fault, at a moment of the database's clock, under which these leases suffer."""
        self._open.append((at_s, set(held)))

    @property
    def num_open(self) -> int:
        """How many faults have not been recovered from."""
        return len(self._open)

    def look(self) -> bool:
        """See what went on meanwhile; True if nothing is left to wait for.

        A fault is recovered from when each of its chunks is leased again or done; the last one counts.
        """
        if not self._open:
            return True
        sql = "SELECT id, attempt, state, claimed_at, finished_at FROM chunk"
        found = {row[0]: row for row in ask(self._ledger, sql)}
        still_open = []
        for at_s, suffering in self._open:
            went_on_s = [self._went_on_s(found[held.chunk_id], held) for held in suffering]
            if all(moment_s is not None for moment_s in went_on_s):
                self.seconds.append(max((max(moment_s - at_s, 0.0) for moment_s in went_on_s if moment_s), default=0.0))
            else:
                still_open.append((at_s, suffering))
        self._open = still_open
        return not still_open

    @staticmethod
    def _went_on_s(row: Row[Any], held: Held) -> float | None:
        _, attempt, state, claimed_at_s, finished_at_s = row
        if attempt > held.attempt:
            return float(claimed_at_s)
        return float(finished_at_s) if state == "done" else None


def damage(ledger: Database, job_ids: Collection[int], labels: Labels) -> Damage:
    """What jobs that have ended lack, and what they have too much of."""
    total = Damage()
    for job_id in job_ids:
        rows = ask(
            ledger,
            "SELECT image.name, result.class_index, result.score, result.reason FROM image LEFT JOIN result "
            "ON result.job_id = image.job_id AND result.ordinal = image.ordinal WHERE image.job_id = :job",
            job=job_id,
        )
        total.lost += sum(not _is_right(row, labels[row[0].rpartition("/")[2]]) for row in rows)
        sums = ask(
            ledger,
            "SELECT job.num_planned, (SELECT count(*) FROM result WHERE job_id = job.id), "
            "(SELECT sum(num_predictions + num_errors) FROM chunk WHERE job_id = job.id) FROM job WHERE id = :job",
            job=job_id,
        )
        num_planned, num_rows, num_counted = (int(value or 0) for value in sums[0])
        total.duplicated += max(len(rows) - num_planned, num_rows - num_planned, abs(num_counted - num_rows))
    return total


def num_half_written(ledger: Database) -> int:
    """Chunks that are not done and yet have rows, or are done and lack some."""
    sql = (
        "SELECT count(*) FROM (SELECT chunk.id, chunk.state, chunk.num_images, (SELECT count(*) FROM result "
        "WHERE result.job_id = chunk.job_id AND ordinal BETWEEN first_ordinal AND last_ordinal) AS num_rows "
        "FROM chunk) AS counted WHERE num_rows <> CASE WHEN state = 'done' THEN num_images ELSE 0 END"
    )
    return int(ask(ledger, sql)[0][0])


def _is_right(row: Row[Any], expected: tuple[int, float] | str) -> bool:
    _, class_index, score, reason = row
    if isinstance(expected, str):
        return bool(reason == expected)
    return class_index == expected[0] and abs(score - expected[1]) <= SCORE_TOLERANCE
