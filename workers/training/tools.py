"""What a training works with: the published network, the store of features, the pixels; its mode says which."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from core.items import locator_from_text
from core.jobs import ImageError
from core.types import TrainMode
from db.features import FeatureKey
from db.samples import Sample
from workers.holding import HeldLease
from workers.ml.augmenting import NUM_COPIES, augment, copy_rng
from workers.ml.model_cache import LoadedBackbone
from workers.runtime import Runtime
from workers.training.contents import Contents
from workers.training.features import FeatureExtractor, Wanted, extractor_name
from workers.training.images import ImageStore, no_longer_readable
from workers.training.work import TrainingWork

# Prepared images that a training keeps in memory: 14,000 of 224 x 224. The others are read again in every epoch.
IMAGE_MEMORY_BYTES = 2 * 1024**3


@dataclass(frozen=True, eq=False, slots=True)
class Tools:
    """The tools of one training."""

    runtime: Runtime
    work: TrainingWork
    lease: HeldLease
    pool: ThreadPoolExecutor  # where images are read and prepared
    extractor: FeatureExtractor  # computes and keeps features of the published network
    images: ImageStore  # keeps prepared images

    @property
    def needs_published(self) -> bool:
        """Whether the mode begins with the published network."""
        return self.work.options.mode is not TrainMode.SCRATCH

    @property
    def needs_pixels(self) -> bool:
        """Whether the mode trains more than a head."""
        return self.work.options.mode is not TrainMode.HEAD

    def published(self) -> LoadedBackbone:
        """The published network, loaded at its first use.

        Raises:
            WeightsError: its weights cannot be had here.
        """
        return load_published(self.runtime, self.work)

    def features_of_copies(self, samples: Sequence[Sample], contents: Contents) -> tuple[np.ndarray, np.ndarray]:
        """Features of augmented copies of some images, as many per image as the options ask for.

        Copies are known by the image's content and their number, so they are computed once, whatever the seed.

        Returns:
            (M, F) float32, and the class index of each, (M,) int64.

        Raises:
            LeaseLostError: the training was taken away.
            TrainingError: an image cannot be read any more.
        """
        copies = [(sample, copy) for sample in samples for copy in range(NUM_COPIES[self.work.options.augment])]
        wanted = (
            Wanted(
                FeatureKey(contents.sha256[sample.ordinal], f"{self.work.options.augment}/{copy}"),
                partial(self._make_copy, sample, contents.sha256[sample.ordinal], copy),
            )
            for sample, copy in copies
        )
        vectors: list[np.ndarray] = []
        for (sample, _), vector in zip(copies, self.extractor.extract(wanted), strict=True):
            self.lease.progressed()
            if isinstance(vector, ImageError):
                raise no_longer_readable(sample, vector.detail)
            vectors.append(vector)
        return np.stack(vectors), np.array([sample.class_index for sample, _ in copies], np.int64)

    def _make_copy(self, sample: Sample, sha256: str, copy: int) -> np.ndarray:
        contract = self.work.contract
        image = self.runtime.images.prepare(locator_from_text(sample.locator), [contract])[contract]
        return augment(image, self.work.options.augment, copy_rng(sha256, copy))


def get_tools(runtime: Runtime, work: TrainingWork, lease: HeldLease, pool: ThreadPoolExecutor) -> Tools:
    """Get together what a training works with."""
    extractor = FeatureExtractor(
        runtime.database,
        extractor_name(work.spec, work.contract),
        lambda: load_published(runtime, work).engine,
        pool,
    )
    images = ImageStore(runtime.images, work.contract, pool, max_bytes=IMAGE_MEMORY_BYTES)
    return Tools(runtime, work, lease, pool, extractor, images)


def load_published(runtime: Runtime, work: TrainingWork) -> LoadedBackbone:
    """Load the published network that a training begins with, unless it is in memory.

    Raises:
        WeightsError: its weights cannot be had here.
    """
    num_loads = runtime.num_loads
    published = runtime.backbones.get(work.spec.name)
    if runtime.num_loads != num_loads:
        runtime.report()
    return published
