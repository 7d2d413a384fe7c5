"""Parts of a worker that read nothing and compute nothing, for tests of how work is handed out and steered."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from core.labels import ClassLabel
from core.settings import Settings
from db.database import Database
from db.workers import WorkerIdentity
from workers.images.loading import Images
from workers.ml.catalog import get_backbone
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.runtime import Runtime
from workers.trained import HeadCache

HEAD = Head(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), (ClassLabel("ant", "1"), ClassLabel("bee", "2")))


class GreyImages(Images):
    """Every image is grey."""

    def close(self):
        """Has nothing open."""

    def read(self, locator):
        return repr(locator).encode()

    def fill(self, data, slots):
        assert data
        for slot in slots.values():
            slot[...] = 128


@dataclass
class ConstantEngine:
    """Has the same features for all images; calls someone in each batch."""

    on_batch: Callable[[int], None] = lambda _: None
    batch_size: int = 4
    num_bytes: int = 1
    num_batches: int = 0
    turns: threading.Semaphore = field(default_factory=threading.Semaphore)

    def features(self, images: np.ndarray) -> np.ndarray:
        self.num_batches += 1
        self.on_batch(self.num_batches)
        return np.ones((len(images), 2), np.float32)


def make_runtime(ledger: Database, *, engine=None, load=None, name: str = "anna") -> Runtime:
    """A worker whose networks are one engine, or whatever `load` makes of their names."""

    def load_engine(name: str) -> LoadedBackbone:
        return LoadedBackbone(get_backbone(name), engine or ConstantEngine(), HEAD)

    cache = BackboneCache(load or load_engine, max_bytes=1000)
    return Runtime(Settings(), ledger, WorkerIdentity(name, "here", 1), GreyImages(), cache, HeadCache(ledger))
