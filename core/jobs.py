"""What a job asks for, and what a worker is handed of it: frozen values that every layer passes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core.training import TrainOptions
from core.types import JobKind, LabelPrecision, Priority, Reason, ResizeMode

DEFAULT_CHUNK_SIZE = 256
DEFAULT_MODEL = "mobilenet"


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How a label job treats each image; stored with the job."""

    top_k: int = 5  # how many of the best classes each prediction keeps
    resize: ResizeMode = ResizeMode.CROP
    chunk_size: int = DEFAULT_CHUNK_SIZE  # images per chunk
    keep_features: bool = True  # look for features that are stored, and store those that are computed
    precision: LabelPrecision = LabelPrecision.FULL
    force_int8: bool = False  # use int8 whatever it changes
    # By the id of a model, as text: the score of each class below which a prediction needs a human look.
    thresholds: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LabelOptions":
        """Read what `to_json` wrote."""
        words = {"resize": ResizeMode(values["resize"])}
        precision = LabelPrecision(values.get("precision", LabelPrecision.FULL))  # older jobs say nothing of it
        return cls(**{**values, **words, "precision": precision})


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What makes a request that is sent twice one job: a name for it that its sender chose, and what it said."""

    key: str  # SHA-256 of the sender and the name, in hexadecimal digits
    body: str  # SHA-256 of what was asked; the same name for another request is a mistake


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request as it is accepted."""

    name: str  # for people
    model_ids: tuple[int, ...]  # rows of the model table, in the order that was asked for
    sources: Sequence[Mapping[str, Any]]  # what a planner needs to enumerate them again
    request_hash: str  # equal for equal requests
    options: LabelOptions | TrainOptions = field(default_factory=LabelOptions)
    priority: Priority = Priority.BULK
    kind: JobKind = JobKind.LABEL
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class WorkerProfile:
    """What a worker tells the ledger when it asks for work."""

    worker_id: str
    warm: frozenset[str] = frozenset()  # networks in its memory: their jobs are handed to it first
    unavailable: frozenset[str] = frozenset()  # networks that it cannot load: their jobs are not handed to it
    kinds: frozenset[JobKind] = frozenset(JobKind)  # what it does
    only_job: int | None = None  # an embedded `label` works for its own job alone


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a chunk."""

    kind: JobKind
    job_id: int
    chunk_id: int
    attempt: int  # the fence: only the latest attempt may finish
    first_ordinal: int
    last_ordinal: int  # included
    num_images: int
    redo: bool  # only the images of the range that have error rows
    deaths: int  # how many workers died over it
    worker_id: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best classes of one image."""

    class_indices: tuple[int, ...]  # best first
    scores: tuple[float, ...]  # probabilities in [0, 1], in the same order


@dataclass(frozen=True, slots=True)
class ImageError:
    """Why one image has no prediction."""

    reason: Reason
    detail: str  # one sentence for people


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one image ends with, for one model."""

    ordinal: int
    model_id: int
    result: Prediction | ImageError
    sha256: str | None = None  # of the content that was seen; None: it was not hashed
    needs_review: bool | None = None  # below its class's threshold; None: there is none


@dataclass(slots=True)
class StageSeconds:
    """What the seconds of a chunk went into. Threads' seconds are added up, so the sum may exceed the time it took."""

    read_s: float = 0.0  # threads that read files and hashed them
    decode_s: float = 0.0  # threads that decoded and resized
    wait_s: float = 0.0  # batches whose turn it was, for images that were not decoded yet
    engine_s: float = 0.0  # the engine
    write_s: float = 0.0  # the database: features with their commits, rows without


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, derived from its chunks."""

    num_planned: int  # images that planning has found so far
    is_planned: bool  # whether it has found them all
    num_predictions: int
    num_errors: int
    num_in_progress: int  # images seen under leases that are not finished yet

    @property
    def num_finished(self) -> int:
        """Images that have their row."""
        return self.num_predictions + self.num_errors


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep mended."""

    num_requeued: int = 0
    num_bisected: int = 0
    num_given_up: int = 0  # images that became error rows because they killed their workers
    finished_jobs: tuple[int, ...] = field(default=())
