"""Putting a worker's runtime together. Nothing heavy is imported before the first backbone is loaded."""

import structlog

from core.errors import WeightsError
from core.settings import Settings
from db.database import Database
from db.schema import require_schema
from db.workers import WorkerIdentity
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits
from workers.ml.loading import load_backbone
from workers.ml.model_cache import BackboneCache
from workers.reading import ItemReader
from workers.runtime import ImageLoader, Runtime

logger = structlog.get_logger(__name__)


def build_runtime(settings: Settings, identity: WorkerIdentity, *, only_job: int | None = None) -> Runtime:
    """Make a worker's runtime from its settings.

    Raises:
        DatabaseError: the database does not answer or needs `labelyard db upgrade`.
    """
    database = Database(settings.database_url_text)
    require_schema(database)
    runtime = Runtime(
        settings=settings,
        database=database,
        identity=identity,
        images=build_image_loader(settings),
        backbones=BackboneCache(lambda name: load_backbone(name, settings), max_bytes=settings.model_memory_bytes),
        only_job=only_job,
    )
    if only_job is None:
        _preload(runtime)
    return runtime


def _preload(runtime: Runtime) -> None:
    for name in runtime.settings.preload:
        try:
            runtime.backbones.get(name)
        except WeightsError as error:
            logger.exception("preload_failed", backbone=name)
            runtime.decline([name], str(error))


def build_image_loader(settings: Settings) -> ImageLoader:
    """Make what reads and decodes images, within the limits that are set."""
    limits = ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    return ImageLoader(ItemReader(limits), Decoder(limits))
