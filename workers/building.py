"""Putting a worker's runtime together. Nothing heavy is imported before the first backbone is loaded."""

import time
from collections.abc import Callable

import structlog
from threadpoolctl import threadpool_limits

from core.errors import EngineError, SetupError, WeightsError
from core.settings import Settings
from core.tracing import tracer_of
from core.types import JobKind
from db.database import Database
from db.schema import require_schema
from db.workers import WorkerIdentity, report_unfit
from workers.devices import describe_device, require_device
from workers.images.loading import build_image_loader
from workers.metrics.counting import Metrics, metrics_of_process
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.quantized import load_any
from workers.runtime import Runtime
from workers.trained import HeadCache

logger = structlog.get_logger(__name__)

# What a worker is called where its traces are looked at.
SERVICE = "labelyard-worker"


def build_runtime(
    settings: Settings,
    identity: WorkerIdentity,
    *,
    only_job: int | None = None,
    kinds: frozenset[JobKind] = frozenset(JobKind),
) -> Runtime:
    """Make a worker's runtime from its settings.

    Args:
        settings: where everything is.
        identity: which worker it is for.
        only_job: the job that it works for alone.
        kinds: the jobs that it takes.

    Raises:
        DatabaseError: the database does not answer or needs `labelyard db upgrade`.
        SetupError: the device that the settings ask for is not there.
    """
    # Between two small products OpenBLAS' threads go on spinning, on the cores that decode and compute features: a
    # labelling then took 11 ms of processor time an image instead of 5.
    threadpool_limits(1, user_api="blas")
    database = _open_ledger(settings, identity)
    metrics = metrics_of_process()
    runtime = Runtime(
        settings=settings,
        database=database,
        identity=identity,
        images=build_image_loader(settings),
        backbones=BackboneCache(_loader(settings, database, metrics), max_bytes=settings.model_memory_bytes),
        heads=HeadCache(database),
        kinds=kinds,
        only_job=only_job,
        device=describe_device(settings),
        metrics=metrics,
        tracer=tracer_of(settings, SERVICE),
    )
    if only_job is None:
        _preload(runtime)
    return runtime


def _open_ledger(settings: Settings, identity: WorkerIdentity) -> Database:
    database = Database.of(settings)
    # A worker that starts while the database does waits for it.
    database.query(lambda session: session.connection())
    try:
        require_schema(database)
        require_fitness(settings, identity, database)
    except SetupError:
        database.close()
        raise
    return database


def require_fitness(settings: Settings, identity: WorkerIdentity, database: Database) -> None:
    """Make sure that a worker can be what the settings ask for; one that cannot says so in its row too.

    Raises:
        SetupError: the device that they ask for is not there.
    """
    try:
        require_device(settings)
    except SetupError as error:
        with database.write() as session:
            report_unfit(session, identity, str(error))
        raise


def _loader(settings: Settings, database: Database, metrics: Metrics) -> Callable[[str], LoadedBackbone]:
    def load(name: str) -> LoadedBackbone:
        started_at_s = time.monotonic()
        loaded = load_any(name, settings, database)
        metrics.loaded(time.monotonic() - started_at_s)
        return loaded

    return load


def _preload(runtime: Runtime) -> None:
    for name in runtime.settings.preload:
        try:
            runtime.backbones.get(name)
        except (WeightsError, EngineError) as error:
            logger.exception("preload_failed", backbone=name)
            runtime.decline([name], str(error))
