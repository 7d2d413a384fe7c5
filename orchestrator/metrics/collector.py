"""The ledger as Prometheus' metrics, asked when somebody looks, and seldom enough to cost the ledger little.

Labels are kinds, priorities and states: few values, all shown from the start. No ids, no names.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.errors import DatabaseError
from core.types import ChunkState, JobKind, JobState, Priority
from db.database import Database
from orchestrator.fleet import WorkerState
from orchestrator.metrics.snapshot import Snapshot, take_snapshot

logger = structlog.get_logger(__name__)

# An answer is good for so long, whoever asks; and for so many times as long as it took, so that not even a ledger of a
# billion images is kept busy by those who watch it.
FRESH_S = 5.0
REST_FACTOR = 20.0

_LABELLING_KINDS = [kind for kind in JobKind if not kind.is_training]
_OPEN_STATES = (ChunkState.QUEUED, ChunkState.LEASED)


@dataclass
class _Look:
    """What the last look at the ledger found."""

    snapshot: Snapshot | None = None  # None: it did not answer
    took_s: float = 0.0
    good_until_s: float = float("-inf")  # on this process's clock


class LedgerCollector(Collector):
    """Looks at the ledger when it is asked.

    Args:
        database: the ledger.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._look = _Look()
        self._seen_until_s: float | None = None
        self._finished: Counter[tuple[str, JobKind]] = Counter()  # since this process began to count

    def describe(self) -> list[Metric]:
        """Say nothing: a registry asks when it is made, and nobody has asked for the ledger yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask the ledger, unless it was asked just now."""
        with self._lock:
            if time.monotonic() >= self._look.good_until_s:
                self._look_again()
            look, finished = self._look, Counter(self._finished)
        yield GaugeMetricFamily("labelyard_ledger_up", "Whether the ledger answers.", look.snapshot is not None)
        yield GaugeMetricFamily("labelyard_ledger_look_seconds", "How long the last look at it took.", look.took_s)
        yield from _finished(finished)
        if look.snapshot is not None:
            yield from _queue(look.snapshot)
            yield from _states(look.snapshot)

    def _look_again(self) -> None:
        began_at_s = time.monotonic()
        try:
            with self._database.read() as session:
                snapshot = take_snapshot(session, before_s=self._seen_until_s)
        except DatabaseError as error:
            logger.warning("ledger_not_counted", problem=str(error))
            self._look.snapshot = None
        else:
            self._look.snapshot, self._seen_until_s = snapshot, snapshot.at_s
            for found in snapshot.finished:
                self._finished["chunks", found.kind] += found.num_chunks
                self._finished["labelled", found.kind] += found.num_labelled
                self._finished["errors", found.kind] += found.num_errors
        ended_at_s = time.monotonic()
        self._look.took_s = ended_at_s - began_at_s
        self._look.good_until_s = ended_at_s + max(FRESH_S, REST_FACTOR * self._look.took_s)


def _queue(snapshot: Snapshot) -> Iterator[Metric]:
    by = ["kind", "priority", "state"]
    chunks = GaugeMetricFamily("labelyard_queue_chunks", "Chunks that running jobs owe.", labels=by)
    images = GaugeMetricFamily("labelyard_queue_images", "Images that running jobs owe.", labels=by)
    deaths = GaugeMetricFamily(
        "labelyard_queue_worker_deaths", "Workers that died over chunks that are still owed.", labels=by
    )
    found = {(queued.kind, queued.priority, queued.state): queued for queued in snapshot.queue}
    for kind in JobKind:
        for priority in Priority:
            for state in _OPEN_STATES:
                queued = found.get((kind, priority, state))
                labels = [kind, priority.name.lower(), state]
                chunks.add_metric(labels, queued.num_chunks if queued else 0)
                images.add_metric(labels, queued.num_images if queued else 0)
                deaths.add_metric(labels, queued.num_deaths if queued else 0)
    yield from (chunks, images, deaths)
    yield GaugeMetricFamily(
        "labelyard_leases_overdue",
        "Leases that ran out and that no sweep has taken back yet.",
        sum(queued.num_overdue for queued in snapshot.queue),
    )


def _states(snapshot: Snapshot) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("labelyard_jobs", "Jobs in the ledger.", labels=["kind", "state"])
    for kind in JobKind:
        for state in JobState:
            jobs.add_metric([kind, state], snapshot.jobs.get((kind, state), 0))
    workers = GaugeMetricFamily("labelyard_workers", "Workers that were heard of lately.", labels=["state"])
    for worker_state in WorkerState:
        workers.add_metric([worker_state], snapshot.workers.get(worker_state, 0))
    yield from (jobs, workers)
    yield GaugeMetricFamily(
        "labelyard_schedule_overdue_seconds",
        "Since when the longest-forgotten fire time of a schedule has passed; 0: none was forgotten.",
        snapshot.schedule_overdue_s,
    )


def _finished(finished: Counter[tuple[str, JobKind]]) -> Iterator[Metric]:
    for what, name, says in (
        ("labelled", "labelyard_images_labelled", "Images that got a prediction of every model, by any worker."),
        ("errors", "labelyard_image_errors", "Images that got an error row, by any worker."),
        ("chunks", "labelyard_chunks_finished", "Chunks that any worker finished."),
    ):
        family = CounterMetricFamily(name, says, labels=["kind"])
        for kind in _LABELLING_KINDS:
            family.add_metric([kind], finished[what, kind])
        yield family
