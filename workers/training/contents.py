"""What is in a dataset's images: their hashes, their features or pixels, and which cannot be read.

One pass over the images. It reads each file once; it decodes only those whose features are not stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from core.features import FeatureKey
from core.items import locator_from_text
from core.jobs import ImageError
from db.samples import Sample
from workers.features.known import KnownContents, another_image
from workers.features.values import Opened, Part, Slots
from workers.images.loading import Images
from workers.training.images import ImageStore


@dataclass(slots=True)
class Contents:
    """What one pass over a dataset's images found."""

    sha256: dict[int, str] = field(default_factory=dict)  # by ordinal, of those that can be read
    errors: dict[int, ImageError] = field(default_factory=dict)  # by ordinal, of those that cannot
    vectors: dict[str, np.ndarray] = field(default_factory=dict)  # by sha256: (F,) float32 features, if any are wanted


class LabelledImages:
    """Reads and decodes the images of a dataset; `workers.features.values.ImageSource`.

    Args:
        images: where they come from.
        known: what is in them, as far as it is known.
        store: keeps prepared images; None if they are not wanted.
    """

    def __init__(self, images: Images, known: KnownContents, store: ImageStore | None) -> None:
        self._images = images
        self._known = known
        self._store = store

    def open(self, sample: Sample) -> Opened:
        """Say what an image is, and read it if it has to be.

        Raises:
            InputError: it cannot be read, or its pixels are wanted and are not those that were meant.
        """
        locator = locator_from_text(sample.locator)
        if self._store is None or sample.sha256 is None:
            return self._known.open(locator, sha256=sample.sha256)
        # What is kept of it will not do: its pixels are read in every epoch.
        found = self._known.open(locator)
        if found.key != FeatureKey(sample.sha256):
            raise another_image(locator)
        return found

    def fill(self, sample: Sample, data: bytes | np.ndarray | None, slots: Slots) -> None:
        """Decode it."""
        if data is None:
            data = self._known.read(locator_from_text(sample.locator), sha256=sample.sha256)
        self._images.fill(data, slots)
        if self._store is not None:
            (slot,) = slots.values()
            self._store.keep(sample, slot.copy())


def collect_contents(parts: Iterable[Part[Sample]]) -> Contents:
    """Gather what the pipeline found of one network, or of none."""
    contents = Contents()
    for part in parts:
        contents.errors |= {sample.ordinal: error for sample, error in part.errors}
        hashes = [key.sha256 for key in part.keys if key is not None]
        contents.sha256 |= zip((sample.ordinal for sample in part.items), hashes, strict=True)
        for vectors in part.vectors.values():
            contents.vectors |= zip(hashes, vectors, strict=True)
    return contents
