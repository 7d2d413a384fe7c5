"""Features that are kept: vectors by image content, network and preprocessing, as arrays."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import structlog

from core.errors import DatabaseError
from core.features import FeatureKey
from core.preprocessing import PreprocessingContract
from db.database import Database
from db.features import find_features, save_features

logger = structlog.get_logger(__name__)

_STORED_DTYPE = np.dtype("<f4")


def extractor_name(network: str, contract: PreprocessingContract) -> str:
    """What features are stored under: equal names mean equal numbers for equal images, but for rounding.

    An engine's precision and the reduced size that a large JPEG was decoded at are no part of it; docs/adr/0018 says
    what that makes.

    Args:
        network: a backbone with its published weights, or a network of a model's own, told from every other.
        contract: what is done to pixels before it.
    """
    height, width = contract.size_hw
    return f"{network}/imagenet/{contract.resize}/{height}x{width}"


def content_hash(data: bytes | np.ndarray) -> str:
    """The sha256 of a file, or of an array's pixels and their arrangement; hexadecimal."""
    if isinstance(data, np.ndarray):
        digest = hashlib.sha256(repr(data.shape).encode())
        digest.update(np.ascontiguousarray(data).data)
        return digest.hexdigest()
    return hashlib.sha256(data).hexdigest()


class KeptFeatures:
    """The store of features, as a pipeline uses it.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, names: Sequence[str], keys: Sequence[FeatureKey]) -> dict[str, dict[FeatureKey, np.ndarray]]:
        """Those of these vectors that are stored, (F,) float32, by extractor and image."""
        stored = self._database.query(lambda session: {name: find_features(session, name, keys) for name in names})
        return {
            name: {key: np.frombuffer(vector, _STORED_DTYPE) for key, vector in vectors.items()}
            for name, vectors in stored.items()
        }

    def save(self, computed: Mapping[str, Mapping[FeatureKey, np.ndarray]]) -> None:
        """Store vectors, (F,) float32, by extractor and image. Where that fails, they are computed again one day."""
        try:
            self._database.require_space()
            with self._database.write() as session:
                # In one order everywhere, so that two chunks that store the same features queue and do not deadlock.
                for name, vectors in sorted(computed.items()):
                    rows = {key: vector.astype(_STORED_DTYPE).tobytes() for key, vector in vectors.items()}
                    save_features(session, name, rows)
        except DatabaseError as error:
            logger.warning("features_not_kept", problem=str(error))
