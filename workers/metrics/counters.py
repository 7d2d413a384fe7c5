"""A worker's counters, by Prometheus' names. Knows nothing of who reads them.

Every label has few values, all of them known from the start: no ids, no names of models. Each is there with 0 before
anything has happened, so that a rate sees the first event too.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import asdict, fields

from prometheus_client import CollectorRegistry, Counter, Histogram

from core.jobs import ImageError, Outcome, StageSeconds
from core.types import JobKind, Reason
from workers.metrics.counting import Fate

# Of a chunk, in seconds: 256 images take some seconds on a processor, less than one on a GPU; trainings take minutes.
CHUNK_BUCKETS_S = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
# By which the fields of `StageSeconds` end.
_UNIT = "_s"


class WorkerCounters:
    """Counts what one worker process does; `workers.metrics.counting.Metrics`.

    Args:
        registry: where the counters belong.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._images = Counter(
            "labelyard_worker_images_labelled_total", "Images that got a prediction of every model.", registry=registry
        )
        self._errors = Counter(
            "labelyard_worker_image_errors_total", "Images that got an error row.", ["reason"], registry=registry
        )
        self._stages = Counter(
            "labelyard_worker_stage_seconds_total",
            "What the time of labelled chunks went into; threads' seconds are added up.",
            ["stage"],
            registry=registry,
        )
        self._chunks = Counter(
            "labelyard_worker_chunks_total", "Chunks that were worked on.", ["kind", "fate"], registry=registry
        )
        self._durations = Histogram(
            "labelyard_worker_chunk_duration_seconds",
            "From the claim of a chunk to its rows, for those that were done.",
            ["kind"],
            buckets=CHUNK_BUCKETS_S,
            registry=registry,
        )
        self._loads = Counter(
            "labelyard_worker_model_loads_total", "Networks that were loaded into memory.", registry=registry
        )
        self._load_seconds = Counter(
            "labelyard_worker_model_load_seconds_total", "Time that loading networks took.", registry=registry
        )
        starts = Counter(
            "labelyard_worker_starts_total",
            "Computing processes that began; all but the first replaced one that had ended.",
            registry=registry,
        )
        self._begin()
        starts.inc()

    def labelled(self, outcomes: Sequence[Outcome], seconds: StageSeconds) -> None:
        """Count images by what they ended with, and what it took."""
        # Images are counted, not rows, as the ledger does: one that any model has no answer to has an error.
        reasons = {
            outcome.ordinal: outcome.result.reason for outcome in outcomes if isinstance(outcome.result, ImageError)
        }
        self._images.inc(len({outcome.ordinal for outcome in outcomes}) - len(reasons))
        for reason, number in Tally(reasons.values()).items():
            self._errors.labels(reason).inc(number)
        for name, spent_s in asdict(seconds).items():
            self._stages.labels(name.removesuffix(_UNIT)).inc(spent_s)

    def ended(self, kind: JobKind, fate: Fate, duration_s: float) -> None:
        """Count a chunk; one that was done is timed."""
        self._chunks.labels(kind, fate).inc()
        if fate is Fate.DONE:
            self._durations.labels(kind).observe(duration_s)

    def loaded(self, duration_s: float) -> None:
        """Count a load."""
        self._loads.inc()
        self._load_seconds.inc(duration_s)

    def _begin(self) -> None:
        for reason in Reason:
            self._errors.labels(reason)
        for field in fields(StageSeconds):
            self._stages.labels(field.name.removesuffix(_UNIT))
        for kind in JobKind:
            self._durations.labels(kind)
            for fate in Fate:
                self._chunks.labels(kind, fate)
