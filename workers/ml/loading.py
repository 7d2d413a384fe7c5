"""Loading a published backbone from its name, ready to run: catalogue, weights, network and engine put together."""

from core.settings import Settings
from workers.ml.backbones import build_classifier, split
from workers.ml.catalog import get_backbone
from workers.ml.engines import build_engine
from workers.ml.model_cache import LoadedBackbone
from workers.ml.weights import ensure_weights, imagenet_labels


def load_backbone(name: str, settings: Settings) -> LoadedBackbone:
    """Load a backbone with its published weights, and the head that it was published with.

    Args:
        name: as in the catalogue.
        settings: which engine runs it, and the batch size.

    Raises:
        UnknownModelError: no backbone has that name.
        WeightsError: its weights or ImageNet's class names cannot be had.
    """
    spec = get_backbone(name)
    ensure_weights(spec)
    backbone, head = split(build_classifier(spec), spec, imagenet_labels())
    engine = build_engine(backbone, settings.engine, batch_size=settings.batch_size)
    return LoadedBackbone(spec, engine, head)
