"""Loading a network from its recipe, ready to run: numbers, architecture and engine put together."""

from pathlib import Path

import structlog

from core.errors import DamagedModelError, EngineError
from core.settings import EngineName, Settings
from workers.ml.catalog import BackboneSpec, get_published_backbone
from workers.ml.engines.batch_sizes import BatchSizes
from workers.ml.engines.batching import BatchedEngine
from workers.ml.engines.choosing import choose_engine
from workers.ml.engines.conversion import ConvertedNetworks, network_file, read_own_head
from workers.ml.engines.interface import Engine, Precision
from workers.ml.engines.measuring import ACCELERATOR_SIZES, PROCESSOR_SIZES, fastest_batch_size
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.heads import Head
from workers.ml.memory import COPIES_LOADED, require_memory
from workers.ml.model_cache import LoadedBackbone
from workers.ml.networks import NetworkRecipe
from workers.ml.weights import ensure_weights

logger = structlog.get_logger(__name__)

# Pixels per position of the last feature map, along one side, in nearly all of these networks.
LAST_STRIDE = 32
# 16 images of VGG16 (138 million parameters, 7 x 7 positions), which took 4 s on two AVX2 cores. Up to four batches
# wait for each other, and the last of them must not outlast a lease.
MAX_BATCH_COST = 16 * 138_357_544 * 7 * 7


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
    """Make the engine that the settings ask for, warmed up and with its batch size found.

    Args:
        recipe: the network that it runs.
        settings: which engine, the batch size, and where converted networks are kept.

    Returns:
        The engine, and the network's own last layer if it has one.

    Raises:
        WeightsError: published weights or ImageNet's class names are missing or damaged.
        DamagedModelError: the numbers that training changed do not fit the network.
        MemoryShortError: it would not fit into memory.
    """
    require_memory(recipe.spec, num_copies=COPIES_LOADED)
    if choose_engine(settings.engine, settings.device) is EngineName.OPENVINO:
        try:
            return _load_openvino(recipe, settings)
        except (EngineError, RuntimeError) as error:
            # It may be the numbers that are at fault; then Keras finds out and says so.
            logger.warning("openvino_cannot_run", backbone=recipe.spec.name, problem=str(error), instead="keras")
    return _load_keras(recipe, settings)


def load_quantized(recipe: NetworkRecipe, settings: Settings, folder: Path) -> tuple[Engine, Head | None]:
    """Make an engine of a network that `workers.ml.engines.quantization.quantize` brought to int8.

    Args:
        recipe: the network.
        settings: the batch size, and where networks are kept.
        folder: where `quantize` put it.

    Returns:
        The engine, and the network's own last layer, in full precision, if it has one.

    Raises:
        EngineError: its files are damaged, or memory is too small for it.
    """
    require_memory(recipe.spec, num_copies=COPIES_LOADED)
    try:
        engine = OpenVinoEngine(
            network_file(folder), recipe.spec, batch_size=PROCESSOR_SIZES[0], precision=Precision.INT8
        )
        _settle_batch_size(engine, recipe.spec, settings)
    except (RuntimeError, OSError) as error:
        raise EngineError(
            f"{recipe.spec.name} in int8 cannot be read: {error}. Delete {folder}, so that it is made again."
        ) from error
    return engine, read_own_head(ConvertedNetworks(settings.home).get(recipe), recipe)


def affordable_batch_size(spec: BackboneSpec, wanted: int | None) -> int:
    """Cut the batches of heavy networks, so that one forward pass on a slow processor does not outlast a lease.

    Parameters times positions of the last feature map stand for the arithmetic: each is used about once per position.

    Args:
        spec: the network.
        wanted: the batch size that the settings ask for; None: the largest that is worth trying.
    """
    height, width = spec.size_hw
    cost = spec.num_parameters * (height / LAST_STRIDE) * (width / LAST_STRIDE)
    return max(1, min(wanted or PROCESSOR_SIZES[-1], int(MAX_BATCH_COST / cost)))


def _load_keras(recipe: NetworkRecipe, settings: Settings) -> tuple[Engine, Head | None]:
    from workers.ml.engines.keras_engine import KerasEngine, fastest_precision  # noqa: PLC0415 - Keras comes with it

    precision = fastest_precision()
    backbone, head = recipe.build()
    engine = KerasEngine(backbone, batch_size=PROCESSOR_SIZES[0], precision=precision)
    _settle_batch_size(engine, recipe.spec, settings)
    engine.warm_up()
    return engine, head


def _load_openvino(recipe: NetworkRecipe, settings: Settings) -> tuple[Engine, Head | None]:
    networks = ConvertedNetworks(settings.home)
    folder = networks.get(recipe)
    try:
        head, engine = read_own_head(folder, recipe), _start_openvino(folder, recipe.spec)
    except (DamagedModelError, RuntimeError, OSError) as error:
        logger.warning("converted_network_damaged", folder=str(folder), problem=str(error))
        folder = networks.remake(recipe)
        head, engine = read_own_head(folder, recipe), _start_openvino(folder, recipe.spec)
    _settle_batch_size(engine, recipe.spec, settings)
    return engine, head


def _start_openvino(folder: Path, spec: BackboneSpec) -> OpenVinoEngine:
    return OpenVinoEngine(network_file(folder), spec, batch_size=PROCESSOR_SIZES[0])


def _settle_batch_size(engine: BatchedEngine, spec: BackboneSpec, settings: Settings) -> None:
    """Give an engine the batch size that the settings say, else the fastest here; and remember what memory allows."""
    limit = ACCELERATOR_SIZES[-1] if engine.is_accelerated else affordable_batch_size(spec, settings.batch_size)
    if settings.batch_size is not None:
        engine.batch_size = settings.batch_size if engine.is_accelerated else limit
        return
    sizes, key = BatchSizes(settings.home), f"{spec.name}, {engine.setup}"
    found = sizes.get_or_find(key, lambda: fastest_batch_size(engine, spec, limit=limit))
    engine.batch_size = min(found, limit)
    engine.on_smaller = lambda size: sizes.put(key, size)
