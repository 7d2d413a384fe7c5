"""What a training works with: the published network, its features, the pixels; its mode says which."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.features import FeatureKey
from core.items import locator_from_text
from core.types import TrainMode
from db.samples import Sample
from workers.features.kept import KeptFeatures, extractor_name
from workers.features.pipeline import FeaturePipeline
from workers.features.values import Extractor, ImageSource, Item, Lane, Opened, Part, Slots
from workers.holding import HeldLease
from workers.images.loading import Images
from workers.ml.augmenting import NUM_COPIES, augment, copy_rng
from workers.ml.model_cache import LoadedBackbone
from workers.runtime import Runtime
from workers.training.contents import Contents
from workers.training.images import ImageStore, no_longer_readable
from workers.training.work import TrainingWork

# Prepared images that a training keeps in memory: 14,000 of 224 x 224. The others are read again in every epoch.
IMAGE_MEMORY_BYTES = 2 * 1024**3


@dataclass(slots=True)
class FeatureCounts:
    """Where the features of a training came from."""

    num_computed: int = 0
    num_reused: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Tools:
    """The tools of one training."""

    runtime: Runtime
    work: TrainingWork
    lease: HeldLease
    images: Images  # where they come from
    prepared: ImageStore  # those that are kept
    counts: FeatureCounts = field(default_factory=FeatureCounts)

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
        num_loads = self.runtime.num_loads
        published = self.runtime.backbones.get(self.work.spec.name)
        if self.runtime.num_loads != num_loads:
            self.runtime.report()
        return published

    def extract(self, source: ImageSource[Item], items: Iterable[Item]) -> Iterator[Part[Item]]:
        """Look into images: features of the published network if the mode begins with it, else pixels alone.

        Raises:
            LeaseLostError: the training was taken away.
            WeightsError: the published weights cannot be had here.
        """
        name = extractor_name(self.work.spec.name, self.work.contract)
        wanted = (Extractor(name, lambda: self.published().engine),) if self.needs_published else ()
        kept = KeptFeatures(self.runtime.database) if self.needs_published else None
        pipeline = FeaturePipeline(
            self.runtime.threads,
            [Lane(self.work.contract, wanted)],
            source,
            kept,
            on_progress=self.lease.progressed,
        )
        num_processed = 0
        for part in pipeline.run(items):
            num_processed += len(part.items) + len(part.errors)
            self.lease.progressed(num_processed)
            yield part
        self.counts.num_computed += pipeline.num_computed
        self.counts.num_reused += pipeline.num_reused

    def features_of_copies(self, samples: Sequence[Sample], contents: Contents) -> tuple[np.ndarray, np.ndarray]:
        """Features of augmented copies of some images, as many per image as the options ask for.

        Copies are known by the image's content and their number, so they are computed once, whatever the seed.

        Returns:
            (M, F) float32, and the class index of each, (M,) int64.

        Raises:
            LeaseLostError: the training was taken away.
            TrainingError: an image cannot be read any more.
        """
        copies = [Copy(sample, number) for sample in samples for number in range(NUM_COPIES[self.work.options.augment])]
        vectors: dict[Copy, np.ndarray] = {}
        for part in self.extract(AugmentedImages(self.images, self.work, contents), copies):
            for copy, error in part.errors:
                raise no_longer_readable(copy.sample, error.detail)
            (found,) = part.vectors.values()
            vectors |= zip(part.items, found, strict=True)
        class_indices = np.array([copy.sample.class_index for copy in copies], np.int64)
        return np.stack([vectors[copy] for copy in copies]), class_indices


@dataclass(frozen=True, slots=True)
class Copy:
    """One augmented copy of an image."""

    sample: Sample
    number: int  # from 0


class AugmentedImages:
    """Makes augmented copies; `workers.features.values.ImageSource`.

    Args:
        images: where they come from.
        work: the training that they are for.
        contents: what is known of the images; copies are known by it, so that nothing is read if they are stored.
    """

    def __init__(self, images: Images, work: TrainingWork, contents: Contents) -> None:
        self._images = images
        self._contract = work.contract
        self._level = work.options.augment
        self._contents = contents

    def open(self, copy: Copy) -> Opened:
        """Say which copy it is."""
        return Opened(FeatureKey(self._contents.sha256[copy.sample.ordinal], f"{self._level}/{copy.number}"), None)

    def fill(self, copy: Copy, data: bytes | np.ndarray | None, slots: Slots) -> None:
        """Make it."""
        del data
        image = self._images.prepare(locator_from_text(copy.sample.locator), [self._contract])[self._contract]
        sha256 = self._contents.sha256[copy.sample.ordinal]
        slots[self._contract][...] = augment(image, self._level, copy_rng(sha256, copy.number))


def get_tools(runtime: Runtime, work: TrainingWork, lease: HeldLease, images: Images) -> Tools:
    """Get together what a training works with."""
    prepared = ImageStore(images, work.contract, runtime.threads.decoding, max_bytes=IMAGE_MEMORY_BYTES)
    return Tools(runtime, work, lease, images, prepared)
