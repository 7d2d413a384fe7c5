"""A worker that reads no image and runs no network: what is left is what Labelyard itself takes.

`python -m benchmarks.noop` is such a worker, embedded or for the broker, as the settings say. Apart from the two parts
that do nothing it is the product's own: its loop, its tasks, its threads, its ledger.
"""

import os
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.items import Locator
from core.labels import ClassLabel
from core.preprocessing import PreprocessingContract
from core.queues import Queue
from core.settings import Settings
from core.types import JobKind
from db.workers import WorkerIdentity
from workers import building, local
from workers.app import create_app, prepare_worker_environment
from workers.images.loading import Images
from workers.ml.catalog import get_backbone
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.runtime import Runtime

# Enough for the five best of them to be stored, as usual; a thousand would measure numpy.
NUM_CLASSES = 10


class NoopImages(Images):
    """Finds every image, and leaves the pixels as they are."""

    def close(self) -> None:
        """Has nothing open."""

    def read(self, locator: Locator) -> bytes:
        """Read nothing."""
        del locator
        return b""

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Write nothing."""


class NoopEngine:
    """Has the same features for all images; `workers.ml.engines.interface.Engine`."""

    batch_size = 64
    num_bytes = 0

    def __init__(self) -> None:
        self.turns = threading.Semaphore(1)
        self._row = np.linspace(0.0, 1.0, NUM_CLASSES, dtype=np.float32)

    def features(self, images: np.ndarray) -> np.ndarray:
        """(N, NUM_CLASSES) float32, whatever the images are."""
        return np.tile(self._row, (len(images), 1))


def build_runtime(
    settings: Settings, identity: WorkerIdentity, *, kinds: frozenset[JobKind] = frozenset(JobKind)
) -> Runtime:
    """The product's own runtime, but for what reads images and runs networks."""
    runtime = building.build_runtime(settings, identity, kinds=kinds)
    return replace(runtime, images=NoopImages(), isolates=False, backbones=BackboneCache(_load, max_bytes=1))


def _load(name: str) -> LoadedBackbone:
    labels = tuple(ClassLabel(f"class {number}", str(number)) for number in range(NUM_CLASSES))
    head = Head(np.eye(NUM_CLASSES, dtype=np.float32), np.zeros(NUM_CLASSES, np.float32), labels)
    return LoadedBackbone(get_backbone(name), NoopEngine(), head)


def main() -> None:
    """Work until the process is ended from outside."""
    settings = Settings()
    if settings.is_embedded:
        local.run(build_runtime(settings, WorkerIdentity("noop", socket.gethostname(), os.getpid())))
        return
    prepare_worker_environment()
    from workers.tasks import name_this_worker  # noqa: PLC0415 - importing it makes this a worker's parent

    worker_id = name_this_worker(list(Queue))
    app = create_app(settings)
    app.conf.include = [*app.conf.include, "benchmarks.noop_tasks"]
    # As `labelyard worker` starts it.
    hostname, queues = f"--hostname={worker_id.replace(':', '-')}", f"--queues={','.join(Queue)}"
    app.worker_main(["worker", hostname, queues, "--loglevel=WARNING", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    sys.exit(main())
