"""Loading a network from its recipe, ready to run: numbers, architecture and engine put together."""

import structlog

from core.errors import DamagedModelError, EngineError
from core.settings import EngineName, Settings
from workers.ml.catalog import BackboneSpec, get_published_backbone
from workers.ml.engines.choosing import choose_engine
from workers.ml.engines.conversion import ConvertedNetworks, network_file, read_own_head
from workers.ml.engines.interface import Engine
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.heads import Head
from workers.ml.model_cache import LoadedBackbone
from workers.ml.networks import NetworkRecipe
from workers.ml.weights import ensure_weights

logger = structlog.get_logger(__name__)

# Pixels per position of the last feature map, along one side, in nearly all of these networks.
LAST_STRIDE = 32
# 32 images of VGG16 (138 million parameters, 7 x 7 positions), which took 8 s on two AVX2 cores.
MAX_BATCH_COST = 32 * 138_357_544 * 7 * 7


def load_backbone(name: str, settings: Settings) -> LoadedBackbone:
    """Load a backbone with its published weights, and the head that it was published with.

    Args:
        name: as in the catalogue.
        settings: which engine runs it, the batch size, and where converted networks are kept.

    Raises:
        UnknownModelError: no backbone has that name.
        UsageError: it has no published weights.
        WeightsError: its weights or ImageNet's class names cannot be had.
    """
    spec = get_published_backbone(name)
    ensure_weights(spec)
    engine, head = load_engine(NetworkRecipe(spec), settings)
    assert head is not None, f"{name} has published weights, and so a head"  # noqa: S101
    return LoadedBackbone(spec, engine, head)


def load_engine(recipe: NetworkRecipe, settings: Settings) -> tuple[Engine, Head | None]:
    """Make the engine that the settings ask for, warmed up.

    Args:
        recipe: the network that it runs.
        settings: which engine, the batch size, and where converted networks are kept.

    Returns:
        The engine, and the network's own last layer if it has one.

    Raises:
        WeightsError: published weights or ImageNet's class names are missing or damaged.
        DamagedModelError: the numbers that training changed do not fit the network.
    """
    batch_size = affordable_batch_size(recipe.spec, settings.batch_size)
    if choose_engine(settings.engine) is EngineName.OPENVINO:
        try:
            return _load_openvino(recipe, settings, batch_size)
        except (EngineError, RuntimeError) as error:
            # It may be the numbers that are at fault; then Keras finds out and says so.
            logger.warning("openvino_cannot_run", backbone=recipe.spec.name, problem=str(error), instead="keras")
    from workers.ml.engines.keras_engine import KerasEngine  # noqa: PLC0415 - Keras comes with it

    backbone, head = recipe.build()
    engine = KerasEngine(backbone, batch_size=batch_size)
    engine.warm_up()
    return engine, head


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


def _load_openvino(recipe: NetworkRecipe, settings: Settings, batch_size: int) -> tuple[Engine, Head | None]:
    networks = ConvertedNetworks(settings.home)
    folder = networks.get(recipe)
    try:
        head = read_own_head(folder, recipe)
        return OpenVinoEngine(network_file(folder), recipe.spec, batch_size=batch_size), head
    except (DamagedModelError, RuntimeError, OSError) as error:
        logger.warning("converted_network_damaged", folder=str(folder), problem=str(error))
    folder = networks.remake(recipe)
    return OpenVinoEngine(network_file(folder), recipe.spec, batch_size=batch_size), read_own_head(folder, recipe)
