"""What is kept of images for a model's network: their feature vectors, by content."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from core.features import FeatureKey
from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from db.features import find_features
from db.model_tables import ModelTable
from workers.chunks import AskedModel
from workers.features.kept import extractor_name
from workers.ml.catalog import get_backbone


def kept_features(session: Session, model: ModelTable, hashes: Sequence[str]) -> dict[str, np.ndarray]:
    """Look up features.

    Args:
        session: any transaction.
        model: what they were made for.
        hashes: of which images, by their content.

    Returns:
        (F,) float32 by content, of those that there are, in the order of `hashes`.
    """
    asked = AskedModel(model.id, model.network, model.mode, model.resize)
    contract = PreprocessingContract(get_backbone(model.backbone).size_hw, model.resize or ResizeMode.CROP)
    keys = [FeatureKey(sha256) for sha256 in hashes]
    found = find_features(session, extractor_name(asked.network_key, contract), keys)
    return {key.sha256: np.frombuffer(found[key], "<f4") for key in keys if key in found}
