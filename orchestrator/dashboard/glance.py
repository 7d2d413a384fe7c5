"""What everybody who has the first page open wants to know every few seconds."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.database import Database
from orchestrator.dashboard.remembering import Remembered
from orchestrator.dashboard.throughput import Queue, Throughput, measure_queue, measure_throughput
from orchestrator.fleet import WorkerState, WorkerStatus, list_fleet


@dataclass(frozen=True, slots=True)
class Load:
    """Speed, queue and workers at one moment."""

    throughput: Throughput
    queue: Queue
    workers: list[WorkerStatus]

    @property
    def num_working(self) -> int:
        """Workers that have something to do."""
        return self._count(WorkerState.WORKING)

    @property
    def num_idle(self) -> int:
        """Workers that wait for something to do."""
        return self._count(WorkerState.IDLE)

    @property
    def num_in_trouble(self) -> int:
        """Workers that somebody should look after."""
        return self._count(WorkerState.DECLINING) + self._count(WorkerState.FROZEN)

    @property
    def has_workers(self) -> bool:
        """Whether anybody is there."""
        return self._count(WorkerState.GONE) < len(self.workers)

    def _count(self, state: WorkerState) -> int:
        return sum(worker.state is state for worker in self.workers)


class Glance:
    """Looks at the load, once for all who look.

    Args:
        database: the ledger.
    """

    def __init__(self, database: Database) -> None:
        self._load = Remembered(lambda: database.query(_look))

    def load(self) -> Load:
        """How it is."""
        return self._load.get()


def _look(session: Session) -> Load:
    return Load(measure_throughput(session), measure_queue(session), list_fleet(session))
