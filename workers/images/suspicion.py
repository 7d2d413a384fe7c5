"""Which way the images of a chunk go, and what is done about one that would take the worker with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from core.errors import DatabaseError
from core.jobs import Claim
from core.settings import ENV_PREFIX, Settings
from db.database import Database
from db.ledger import leasing
from workers.holding import HeldLease
from workers.images.isolation import IsolatedImages
from workers.images.loading import Images

if TYPE_CHECKING:
    from workers.runtime import Runtime

logger = structlog.get_logger(__name__)


@contextmanager
def images_of(runtime: "Runtime", lease: HeldLease) -> Iterator[Images]:
    """The worker's images; in processes of their own for a chunk that a worker died over.

    Args:
        runtime: the worker's own things.
        lease: on the chunk. It is held while an isolated image takes its time.
    """
    if not lease.claim.deaths or not runtime.isolates:
        yield runtime.watchdog.watched(runtime.images, lease.claim)
        return
    logger.info("images_isolated", job_id=lease.claim.job_id, chunk_id=lease.claim.chunk_id)
    with isolated_images(runtime.settings) as images, lease.kept_alive():
        yield images


def isolated_images(
    settings: Settings, *, num_processes: int | None = None, max_idle_s: float | None = None
) -> IsolatedImages:
    """Make images in processes of their own, by default as many as threads decode; idle ones are kept by default."""
    return IsolatedImages(
        num_processes=num_processes or settings.decode_threads,
        max_image_s=settings.max_image_s,
        environment=_limits_of(settings),
        max_idle_s=max_idle_s,
    )


def _limits_of(settings: Settings) -> dict[str, str]:
    """What such a process has to know of the settings, whatever the environment says."""
    values = {
        "max_image_bytes": settings.max_image_bytes,
        "max_image_pixels": settings.max_image_pixels,
        "source_roots": ",".join(settings.source_roots),
        "allow_private_hosts": settings.allow_private_hosts,
        "url_timeout_s": settings.url_timeout_s,
        "uploads": settings.upload_folder,
    }
    return {f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in values.items()}


def end_over(database: Database, claim: Claim, problem: str) -> None:
    """End this process because of a chunk; its supervisor starts another one.

    The chunk stays leased, so that whoever notices the end counts it as a death, and its images are isolated next. What
    else this worker has is given back, and nothing is held against it.
    """
    try:
        logger.error("worker_ends", problem=problem, job_id=claim.job_id, chunk_id=claim.chunk_id)
        with database.write() as session:
            leasing.release_worker(session, claim.worker_id, but=[claim.chunk_id])
    except DatabaseError as error:
        logger.warning("not_given_back", problem=str(error))
    finally:
        # Whatever else goes wrong, as memory may be short: a worker that stays would go on with a broken thread.
        os._exit(os.EX_SOFTWARE)
