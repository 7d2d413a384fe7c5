"""What a worker process holds for its life: the database, the images, the backbones it loaded."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.jobs import Claim, WorkerProfile
from core.settings import Settings
from core.tracing import NullTracer, Tracer
from core.types import JobKind
from db import workers as worker_store
from db.database import Database
from db.workers import WorkerIdentity, WorkerReport
from workers.features.threads import WorkerThreads
from workers.images.loading import Images
from workers.images.suspicion import end_over
from workers.images.watchdog import Watchdog
from workers.metrics.counting import Metrics, NullMetrics
from workers.ml.model_cache import BackboneCache
from workers.trained import HeadCache

# A file that was missing may be there by now, and a network may be back.
RETRY_LOADING_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a backbone could not be loaded."""

    text: str
    at_s: float  # on this process's monotonic clock

    @property
    def is_fresh(self) -> bool:
        """Whether it is too early to try again."""
        return time.monotonic() - self.at_s < RETRY_LOADING_AFTER_S


@dataclass
class Runtime:
    """One worker's own things. Not shared between processes."""

    settings: Settings
    database: Database
    identity: WorkerIdentity
    images: Images
    backbones: BackboneCache
    heads: HeadCache
    isolates: bool = True  # whether images of a chunk that a worker died over are kept apart
    only_job: int | None = None
    kinds: frozenset[JobKind] = frozenset(JobKind)
    device: str | None = None  # what it computes on, for people
    problems: dict[str, Problem] = field(default_factory=dict)  # networks that could not be loaded here
    labelled_models: set[int] = field(default_factory=set)  # models whose class labels are known to be stored
    metrics: Metrics = field(default_factory=NullMetrics)  # what counts what is done here
    tracer: Tracer = field(default_factory=NullTracer)  # what notes it, job by job
    reporting: threading.Lock = field(default_factory=threading.Lock)
    threads: WorkerThreads = field(init=False)
    watchdog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        """Have threads; none of them starts before there is work."""
        self.threads = WorkerThreads(num_decoding=self.settings.decode_threads)
        self.watchdog = Watchdog(self.settings.max_image_s, self._end_hung)

    @property
    def profile(self) -> WorkerProfile:
        """What to tell the ledger when asking for work."""
        return WorkerProfile(
            worker_id=self.identity.id,
            warm=frozenset(self.backbones.warm),
            # A copy: chunks that are worked on meanwhile may find or forget problems.
            unavailable=frozenset(name for name, problem in dict(self.problems).items() if problem.is_fresh),
            only_job=self.only_job,
            kinds=self.kinds,
        )

    @property
    def num_loads(self) -> int:
        """How many backbones were loaded so far, reloads included."""
        return sum(self.backbones.loads.values())

    def decline(self, backbones: Iterable[str], problem: str) -> None:
        """Ask for no work that needs these backbones for a while."""
        self.problems.update({name: Problem(problem, time.monotonic()) for name in backbones})

    def report(self) -> None:
        """Write this worker's row."""
        # The threads of two chunks may have something to report in the same moment, and neither sees the other's row.
        with self.reporting:
            self.database.transact(lambda session: worker_store.report(session, self.identity, self._describe()))

    def _describe(self) -> WorkerReport:
        return WorkerReport(
            only_job=self.only_job,
            kinds=self.kinds,
            device=self.device,
            backbone_loads=self.backbones.loads,
            warm=self.backbones.warm,
            problems={name: problem.text for name, problem in dict(self.problems).items()},
        )

    def close(self) -> None:
        """Let go of threads, files and connections."""
        self.watchdog.close()
        self.threads.close()
        self.images.close()
        self.database.close()
        self.tracer.close()

    def _end_hung(self, claim: Claim) -> None:
        problem = f"Reading or decoding an image takes longer than {self.settings.max_image_s:g} s."
        end_over(self.database, claim, problem)
