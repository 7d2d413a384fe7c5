"""Loading a published backbone from its name, ready to run: catalogue, weights, network and engine put together."""

from core.settings import Settings
from workers.ml.backbones import build_classifier, split
from workers.ml.catalog import BackboneSpec, get_published_backbone
from workers.ml.engines import build_engine
from workers.ml.model_cache import LoadedBackbone
from workers.ml.weights import ensure_weights, imagenet_labels

# Pixels per position of the last feature map, along one side, in nearly all of these networks.
LAST_STRIDE = 32
# 32 images of VGG16 (138 million parameters, 7 x 7 positions), which took 8 s on two AVX2 cores.
MAX_BATCH_COST = 32 * 138_357_544 * 7 * 7


def load_backbone(name: str, settings: Settings) -> LoadedBackbone:
    """Load a backbone with its published weights, and the head that it was published with.

    Args:
        name: as in the catalogue.
        settings: which engine runs it, and the batch size.

    Raises:
        UnknownModelError: no backbone has that name.
        UsageError: it has no published weights.
        WeightsError: its weights or ImageNet's class names cannot be had.
    """
    spec = get_published_backbone(name)
    ensure_weights(spec)
    backbone, head = split(build_classifier(spec), spec, imagenet_labels())
    engine = build_engine(backbone, settings.engine, batch_size=affordable_batch_size(spec, settings.batch_size))
    return LoadedBackbone(spec, engine, head)


def affordable_batch_size(spec: BackboneSpec, wanted: int) -> int:
    """Cut the batches of heavy networks, so that one forward pass on a slow processor does not outlast a lease.

    Parameters times positions of the last feature map stand for the arithmetic: each is used about once per position.

    Args:
        spec: the network.
        wanted: the batch size that the settings ask for.
    """
    height, width = spec.size_hw
    cost = spec.num_parameters * (height / LAST_STRIDE) * (width / LAST_STRIDE)
    return max(1, min(wanted, int(MAX_BATCH_COST / cost)))
