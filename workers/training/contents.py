"""What is in a dataset's images: their hashes, their features or pixels, and which cannot be read.

One pass over the images. It reads each file once; it decodes only those whose features are not stored.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from core.errors import InputError
from core.items import locator_from_text
from core.jobs import ImageError
from core.preprocessing import PreprocessingContract
from db.features import FeatureKey
from db.samples import Sample
from workers.holding import HeldLease
from workers.ml.ahead import batched
from workers.ml.resizing import prepare
from workers.runtime import ImageLoader
from workers.training.features import BLOCK_SIZE, FeatureExtractor, Wanted
from workers.training.images import ImageStore


@dataclass(slots=True)
class Contents:
    """What one pass over a dataset's images found."""

    sha256: dict[int, str] = field(default_factory=dict)  # by ordinal, of those that can be read
    errors: dict[int, ImageError] = field(default_factory=dict)  # by ordinal, of those that cannot
    vectors: dict[str, np.ndarray] = field(default_factory=dict)  # by sha256: (F,) float32 features, if any are wanted


class ContentReader:
    """Passes over a dataset's images.

    Args:
        loader: reads and decodes.
        contract: the size that the network takes.
        pool: where images are read and prepared.
        extractor: computes features; None if they are not wanted.
        store: keeps prepared images; None if they are not wanted.
    """

    def __init__(
        self,
        loader: ImageLoader,
        contract: PreprocessingContract,
        pool: ThreadPoolExecutor,
        *,
        extractor: FeatureExtractor | None,
        store: ImageStore | None,
    ) -> None:
        self._loader = loader
        self._contract = contract
        self._pool = pool
        self._extractor = extractor
        self._store = store

    def read(self, samples: Sequence[Sample], lease: HeldLease) -> Contents:
        """Read every image once.

        Raises:
            LeaseLostError: the job was taken away.
        """
        contents = Contents()
        num_processed = 0
        for block in batched(samples, BLOCK_SIZE):
            self._read_block(block, contents)
            num_processed += len(block)
            lease.progressed(num_processed)
        return contents

    def _read_block(self, block: Sequence[Sample], contents: Contents) -> None:
        opened: list[tuple[Sample, bytes | np.ndarray, str]] = []
        for sample, data in zip(block, self._pool.map(self._try_to_read, block), strict=True):
            if isinstance(data, ImageError):
                contents.errors[sample.ordinal] = data
            else:
                opened.append((sample, data, content_hash(data)))
        for (sample, _, sha256), found in zip(opened, self._look_into(opened), strict=True):
            if isinstance(found, ImageError):
                contents.errors[sample.ordinal] = found
                continue
            contents.sha256[sample.ordinal] = sha256
            if self._extractor is not None:
                contents.vectors[sha256] = found

    def _look_into(self, opened: Sequence[tuple[Sample, bytes | np.ndarray, str]]) -> Iterator[np.ndarray | ImageError]:
        """Features of each image, or its pixels, or why there are none."""
        makers = [partial(self._prepare, sample, data) for sample, data, _ in opened]
        if self._extractor is None:
            return iter(list(self._pool.map(_attempt, makers)))
        wanted = (Wanted(FeatureKey(sha256), make) for (_, _, sha256), make in zip(opened, makers, strict=True))
        return self._extractor.extract(wanted)

    def _prepare(self, sample: Sample, data: bytes | np.ndarray) -> np.ndarray:
        image = prepare(self._loader.decode(data), self._contract)
        if self._store is not None:
            self._store.keep(sample, image)
        return image

    def _try_to_read(self, sample: Sample) -> bytes | np.ndarray | ImageError:
        try:
            return self._loader.read(locator_from_text(sample.locator))
        except InputError as error:
            return ImageError(error.reason, error.detail)


def content_hash(data: bytes | np.ndarray) -> str:
    """The sha256 of a file, or of an array's pixels and their arrangement; hexadecimal."""
    if isinstance(data, np.ndarray):
        digest = hashlib.sha256(repr(data.shape).encode())
        digest.update(np.ascontiguousarray(data).data)
        return digest.hexdigest()
    return hashlib.sha256(data).hexdigest()


def _attempt(make: "partial[np.ndarray]") -> np.ndarray | ImageError:
    try:
        return make()
    except InputError as error:
        return ImageError(error.reason, error.detail)
