"""What a worker process holds for its life: the database, the decoder, the backbones it loaded."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from core.items import Locator
from core.jobs import WorkerProfile
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from db import workers as worker_store
from db.database import Database
from db.workers import WorkerIdentity
from workers.ml.decoding import Decoder
from workers.ml.model_cache import BackboneCache
from workers.ml.resizing import prepare
from workers.reading import ItemReader


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

    def prepare(
        self, locator: Locator, contracts: Iterable[PreprocessingContract]
    ) -> dict[PreprocessingContract, np.ndarray]:
        """Read and decode an image once, and resize it as each contract asks.

        Returns:
            One (H, W, 3) uint8 RGB array per contract.

        Raises:
            InputError: the image cannot be read or decoded.
        """
        image_rgb = self._decoder.decode(self._reader.read(locator))
        return {contract: prepare(image_rgb, contract) for contract in contracts}


@dataclass
class Runtime:
    """One worker's own things. Not shared between processes."""

    settings: Settings
    database: Database
    identity: WorkerIdentity
    images: ImageLoader
    backbones: BackboneCache
    only_job: int | None = None
    problems: dict[str, str] = field(default_factory=dict)  # why a backbone cannot be loaded here, by its name
    labelled_models: set[int] = field(default_factory=set)  # models whose class labels are known to be stored

    @property
    def profile(self) -> WorkerProfile:
        """What to tell the ledger when asking for work."""
        return WorkerProfile(
            worker_id=self.identity.id,
            warm=frozenset(self.backbones.warm),
            unavailable=frozenset(self.problems),
            only_job=self.only_job,
        )

    @property
    def num_loads(self) -> int:
        """How many backbones were loaded so far, reloads included."""
        return sum(self.backbones.loads.values())

    def report(self) -> None:
        """Write this worker's row."""
        with self.database.write() as session:
            worker_store.report(session, self.identity, backbone_loads=self.backbones.loads, problems=self.problems)

    def close(self) -> None:
        """Let go of files and connections."""
        self.images.close()
        self.database.close()
