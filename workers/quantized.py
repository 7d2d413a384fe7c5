"""Networks in int8, for jobs that ask for them: calibrated and judged on the first images of the job that is the first.

How a network is brought to int8 is not known here (`workers.ml.engines.quantization`), nor what a job does with it.
"""

import time
from collections.abc import Callable

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import DatabaseError, InputError, SetupError, UsageError
from core.items import Locator, locator_from_text
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from db.database import Database
from db.ledger.control import get_job
from db.tables import ImageTable
from workers.chunks import AskedModel, ChunkWork
from workers.images.loading import Images
from workers.ml.engines.quantization import quantize, quantized_folder
from workers.ml.heads import Head
from workers.ml.loading import load_quantized
from workers.ml.model_cache import LoadedBackbone
from workers.runtime import Runtime
from workers.trained import load_network, read_head, recipe_of

SUFFIX = ":int8"  # behind a network's name, where networks are kept in memory
# Images of a job that are looked at: one half to calibrate on, the other to judge by.
NUM_IMAGES = 400
PLANNING_POLL_S = 0.2


def ensure_quantized(
    runtime: Runtime, work: ChunkWork, model: AskedModel, images: Images, *, on_progress: Callable[[], None]
) -> str:
    """Have a model's network in int8 on this machine.

    Args:
        runtime: the worker's own things.
        work: the chunk that it is for.
        model: whose network.
        images: where images come from.
        on_progress: called while images are waited for and prepared; what it raises ends that.

    Returns:
        What the network is called in memory.

    Raises:
        UsageError: it changes too many labels, the job has too few images, or NNCF is not installed.
        EngineError: it cannot be converted, quantized or run here.
        WeightsError: its published weights cannot be had.
        DamagedModelError: what is stored of the model is damaged.
        DatabaseAwayError: the database was away for too long.
    """
    recipe, _ = recipe_of(model.network, runtime.database)
    contract = PreprocessingContract(recipe.spec.size_hw, model.resize or work.options.resize)
    head: Head | None = None if model.mode is None else runtime.heads.get(model.id)
    try:
        quantize(
            recipe,
            runtime.settings,
            lambda: _first_images(runtime.database, images, work.claim.job_id, contract, on_progress),
            head=head,
            force=work.options.force_int8,
        )
    except DatabaseError:
        # No fault of the job's, and so no reason to fail it.
        raise
    except SetupError as error:
        raise UsageError(str(error)) from error
    return f"{model.network}{SUFFIX}"


def load_any(name: str, settings: Settings, database: Database) -> LoadedBackbone:
    """Load a network in the precision that its name says; see `workers.trained.load_network`."""
    if name.endswith(SUFFIX):
        return load_int8(name.removesuffix(SUFFIX), settings, database)
    return load_network(name, settings, database)


def load_int8(name: str, settings: Settings, database: Database) -> LoadedBackbone:
    """Load a network that `ensure_quantized` has made.

    Args:
        name: what that gave, without its suffix.
        settings: where it is kept.
        database: where what was trained is stored.

    Raises:
        EngineError: it is not there any more, or damaged.
    """
    recipe, model = recipe_of(name, database)
    engine, own_head = load_quantized(recipe, settings, quantized_folder(recipe, settings))
    head = own_head if model is None else read_head(database, model)
    assert head is not None, f"{name} is published, and so has a head"  # noqa: S101
    return LoadedBackbone(recipe.spec, engine, head)


def _first_images(
    database: Database, images: Images, job_id: int, contract: PreprocessingContract, on_progress: Callable[[], None]
) -> np.ndarray:
    """The first images of a job that can be decoded, (N, H, W, 3) uint8 RGB; waits until so many are planned."""
    while (locators := database.query(lambda session: _planned(session, job_id), on_wait=on_progress)) is None:
        # A job that was cancelled is planned no further.
        on_progress()
        time.sleep(PLANNING_POLL_S)
    prepared = []
    for locator in locators:
        on_progress()
        try:
            prepared.append(images.prepare(locator, [contract])[contract])
        except InputError:
            continue  # it becomes an error row like any other
    return np.stack(prepared) if prepared else np.empty((0, *contract.size_hw, 3), np.uint8)


def _planned(session: Session, job_id: int) -> list[Locator] | None:
    """Where the first images of a job are; None if fewer are planned, and there may be more."""
    job = get_job(session, job_id)
    if job.num_planned < NUM_IMAGES and job.planned_at is None:
        return None
    query = (
        select(ImageTable.locator)
        .where(ImageTable.job_id == job_id, ImageTable.ordinal < NUM_IMAGES)
        .order_by(ImageTable.ordinal)
    )
    return [locator_from_text(text) for text in session.scalars(query)]
