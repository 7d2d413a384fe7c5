"""Prepared images for training a network: kept in memory up to a budget, read again beyond it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.errors import InputError, TrainingError
from core.items import locator_from_text
from core.preprocessing import PreprocessingContract
from core.types import Augment
from db.samples import Sample
from workers.images.loading import Images
from workers.ml.augmenting import augment


class ImageStore:
    """Images of one size, by sample.

    Args:
        images: reads and decodes.
        contract: the size, and how to reach it.
        pool: where images are prepared.
        max_bytes: how much to keep in memory.
    """

    def __init__(
        self, images: Images, contract: PreprocessingContract, pool: ThreadPoolExecutor, *, max_bytes: int
    ) -> None:
        self._images = images
        self._contract = contract
        self._pool = pool
        self._num_bytes_left = max_bytes
        self._kept: dict[int, np.ndarray] = {}

    def keep(self, sample: Sample, image: np.ndarray) -> None:
        """Remember an image that was prepared, if there is room."""
        if sample.ordinal not in self._kept and image.nbytes <= self._num_bytes_left:
            self._num_bytes_left -= image.nbytes
            self._kept[sample.ordinal] = image

    def get_all(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        """The images of some samples, in their order, each (H, W, 3) uint8 RGB.

        Raises:
            TrainingError: one cannot be read any more.
        """
        return list(self._pool.map(self._get, samples))

    def _get(self, sample: Sample) -> np.ndarray:
        kept = self._kept.get(sample.ordinal)
        if kept is not None:
            return kept
        try:
            image = self._images.prepare(locator_from_text(sample.locator), [self._contract])[self._contract]
        except InputError as error:
            raise no_longer_readable(sample, error.detail) from error
        self.keep(sample, image)
        return image


class ImageExamples:
    """Images as a network is fitted to them; `workers.ml.fitting.Examples`.

    Args:
        store: has the images.
        samples: which ones.
        class_indices: (N,) int64.
        level: how much they are varied, differently in every epoch.
        seed: what the variations depend on.
    """

    def __init__(
        self, store: ImageStore, samples: Sequence[Sample], *, class_indices: np.ndarray, level: Augment, seed: int
    ) -> None:
        self.class_indices = class_indices
        self._store = store
        self._samples = samples
        self._level = level
        self._seed = seed

    def __len__(self) -> int:
        """How many there are."""
        return len(self._samples)

    def inputs(self, positions: np.ndarray, *, epoch: int) -> np.ndarray:
        """The images at some positions.

        Returns:
            (N, H, W, 3) uint8 RGB.
        """
        images = self._store.get_all([self._samples[position] for position in positions])
        if self._level is not Augment.NONE:
            images = [
                augment(image, self._level, np.random.default_rng([self._seed, epoch, int(position)]))
                for position, image in zip(positions, images, strict=True)
            ]
        return np.stack(images)


def no_longer_readable(sample: Sample, detail: str) -> TrainingError:
    """The error of an image that went away while a model was trained on it."""
    return TrainingError(
        f"{sample.name} was readable when the training began and is not any more: {detail} "
        "Put it back, then `labelyard jobs resume`."
    )
