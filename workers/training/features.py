"""Features, computed once per image and kept: what is stored is read, what is not goes through the backbone."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.errors import InputError
from core.jobs import ImageError
from core.preprocessing import PreprocessingContract
from db.database import Database
from db.features import FeatureKey, find_features, save_features
from workers.ml.ahead import batched
from workers.ml.catalog import BackboneSpec
from workers.ml.engines.interface import Engine

# Images that are looked up, decoded, computed and stored at a time. Their files are in memory meanwhile.
BLOCK_SIZE = 64

_STORED_DTYPE = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image whose features are wanted."""

    key: FeatureKey
    prepare: Callable[[], np.ndarray]  # its pixels, (H, W, 3) uint8 RGB; called only if nothing is stored


def extractor_name(spec: BackboneSpec, contract: PreprocessingContract) -> str:
    """What features are stored under: equal names mean equal numbers for equal images."""
    height, width = contract.size_hw
    return f"{spec.name}/imagenet/{contract.resize}/{height}x{width}"


class FeatureExtractor:
    """Gets features from the store, or computes and stores them.

    Args:
        database: where the store is.
        name: what they are stored under.
        engine: gets what computes them; called only if something is not stored.
        pool: where images are prepared.
    """

    def __init__(self, database: Database, name: str, engine: Callable[[], Engine], pool: ThreadPoolExecutor) -> None:
        self._database = database
        self._name = name
        self._engine = engine
        self._pool = pool
        self.num_computed = 0
        self.num_reused = 0

    def extract(self, wanted: Iterable[Wanted]) -> Iterator[np.ndarray | ImageError]:
        """Yield the features of each image, in order: (F,) float32, or why there are none."""
        for block in batched(wanted, BLOCK_SIZE):
            yield from self._extract_block(block)

    def _extract_block(self, block: list[Wanted]) -> Iterator[np.ndarray | ImageError]:
        with self._database.read() as session:
            stored = find_features(session, self._name, [item.key for item in block])
        found: dict[FeatureKey, np.ndarray | ImageError] = {
            key: np.frombuffer(vector, _STORED_DTYPE).astype(np.float32) for key, vector in stored.items()
        }
        # Equal images in one block are one image.
        missing = {item.key: item for item in block if item.key not in found}
        found |= self._compute(list(missing.values()))
        self.num_reused += len(stored)
        for item in block:
            yield found[item.key]

    def _compute(self, items: list[Wanted]) -> dict[FeatureKey, np.ndarray | ImageError]:
        prepared = dict(zip((item.key for item in items), self._pool.map(_try_to_prepare, items), strict=True))
        images = {key: image for key, image in prepared.items() if isinstance(image, np.ndarray)}
        if not images:
            return dict(prepared)
        vectors = dict(zip(images, self._engine().features(np.stack(list(images.values()))), strict=True))
        with self._database.write() as session:
            save_features(
                session, self._name, {key: vector.astype(_STORED_DTYPE).tobytes() for key, vector in vectors.items()}
            )
        self.num_computed += len(vectors)
        return prepared | vectors


def _try_to_prepare(item: Wanted) -> np.ndarray | ImageError:
    try:
        return item.prepare()
    except InputError as error:
        return ImageError(error.reason, error.detail)
