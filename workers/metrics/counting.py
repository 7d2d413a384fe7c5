"""What a worker counts, as those see it who do the work. `counters` does it for Prometheus, which is not known here."""

import os
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Protocol

from core.jobs import Outcome, StageSeconds
from core.types import JobKind

# Prometheus' own name for the folder that processes count into; see docs/adr/0034.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Fate(StrEnum):
    """What became of a chunk that a worker had."""

    DONE = "done"
    LOST = "lost"  # the lease passed to another worker
    GIVEN_BACK = "given_back"  # the database was away for too long, or this machine lacks something
    DECLINED = "declined"  # its networks cannot be loaded or run here
    FAILED = "failed"  # its job cannot come to an end


class Metrics(Protocol):
    """Something that counts what a worker does."""

    def labelled(self, outcomes: Sequence[Outcome], seconds: StageSeconds) -> None:
        """The rows of a chunk are in the database; it took so long."""

    def ended(self, kind: JobKind, fate: Fate, duration_s: float) -> None:
        """A chunk of a job is not this worker's any more."""

    def loaded(self, duration_s: float) -> None:
        """A network was loaded."""


class NullMetrics:
    """For workers that nobody asks."""

    def labelled(self, outcomes: Sequence[Outcome], seconds: StageSeconds) -> None:
        """Do nothing."""

    def ended(self, kind: JobKind, fate: Fate, duration_s: float) -> None:
        """Do nothing."""

    def loaded(self, duration_s: float) -> None:
        """Do nothing."""


@cache
def metrics_of_process() -> Metrics:
    """What this worker process counts into: the folder that its supervisor named, or nothing.

    Made once in its life, because two would write over each other's numbers.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder or not Path(folder).is_dir():
        return NullMetrics()
    # Imported where something is counted: it takes 40 ms.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from workers.metrics.counters import WorkerCounters  # noqa: PLC0415

    return WorkerCounters(CollectorRegistry())
