"""What a worker process holds for its life: the database, the decoder, the backbones it loaded."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from core.items import Locator
from core.jobs import WorkerProfile
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import JobKind
from db import workers as worker_store
from db.database import Database
from db.workers import WorkerIdentity, WorkerReport
from workers.features.threads import WorkerThreads
from workers.ml.decoding import Decoder
from workers.ml.model_cache import BackboneCache
from workers.ml.resizing import prepare
from workers.reading import ItemReader
from workers.trained import HeadCache

# A file that was missing may be there by now, and a network may be back.
RETRY_LOADING_AFTER_S = 60.0


class ImageLoader:
    """From a locator to pixels that a network takes.

    Args:
        reader: gets the bytes.
        decoder: makes pixels of them.
    """

    def __init__(self, reader: ItemReader, decoder: Decoder) -> None:
        self._reader = reader
        self._decoder = decoder

    def close(self) -> None:
        """Let go of open archives."""
        self._reader.close()

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read an image's bytes, or an item of an array, (H, W, 3) uint8 RGB.

        Raises:
            InputError: it cannot be read.
        """
        return self._reader.read(locator)

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode what `read` returned once, and write it into each slot, (H, W, 3) uint8 RGB, as its contract says.

        Raises:
            InputError: it is no image, damaged, or too large.
        """
        picture = self._decoder.decode_for(data, slots.keys())
        for contract, slot in slots.items():
            prepare(picture, contract, slot)

    def prepare(
        self, locator: Locator, contracts: Collection[PreprocessingContract]
    ) -> dict[PreprocessingContract, np.ndarray]:
        """Read and decode an image once, and resize it as each contract asks.

        Returns:
            One (H, W, 3) uint8 RGB array per contract.

        Raises:
            InputError: the image cannot be read or decoded.
        """
        picture = self._decoder.decode_for(self.read(locator), contracts)
        return {contract: prepare(picture, contract) for contract in contracts}


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
    images: ImageLoader
    backbones: BackboneCache
    heads: HeadCache
    only_job: int | None = None
    kinds: frozenset[JobKind] = frozenset(JobKind)
    device: str | None = None  # what it computes on, for people
    problems: dict[str, Problem] = field(default_factory=dict)  # networks that could not be loaded here
    labelled_models: set[int] = field(default_factory=set)  # models whose class labels are known to be stored
    threads: WorkerThreads = field(init=False)

    def __post_init__(self) -> None:
        """Have threads; none of them starts before there is work."""
        self.threads = WorkerThreads(num_decoding=self.settings.decode_threads)

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
        self.database.transact(
            lambda session: worker_store.report(
                session,
                self.identity,
                WorkerReport(
                    only_job=self.only_job,
                    kinds=self.kinds,
                    device=self.device,
                    backbone_loads=self.backbones.loads,
                    warm=self.backbones.warm,
                    problems={name: problem.text for name, problem in dict(self.problems).items()},
                ),
            )
        )

    def close(self) -> None:
        """Let go of threads, files and connections."""
        self.threads.close()
        self.images.close()
        self.database.close()
