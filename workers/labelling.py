"""The labelling use case: claim a chunk, read, decode, predict, write the rows.

Celery tasks and the embedded loop both call `work_once`; neither adds to it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import structlog

from core.errors import InputError, LeaseLostError, WeightsError
from core.jobs import Claim, ImageError, Outcome, Prediction
from core.preprocessing import PreprocessingContract
from db import models as model_store
from db.ledger import leasing
from workers.chunks import AskedModel, ChunkWork, OwedImage, read_work
from workers.holding import HeldLease
from workers.ml.ahead import batched, map_ahead
from workers.ml.heads import top_k
from workers.ml.model_cache import LoadedBackbone
from workers.runtime import Runtime

logger = structlog.get_logger(__name__)

# One image as every backbone of the job wants it: contract -> (H, W, 3) uint8 RGB; or why it cannot be.
Prepared = dict[PreprocessingContract, np.ndarray] | ImageError


def work_once(runtime: Runtime, *, proposed: int | None = None) -> Claim | None:
    """Claim one chunk and bring it to its end.

    Args:
        runtime: the worker's own things.
        proposed: the chunk that a wake-up named; the ledger may hand out another.

    Returns:
        What was claimed, or None if the ledger has nothing that this worker can do.
    """
    with runtime.database.write() as session:
        claim = leasing.claim(session, runtime.profile, lease_s=runtime.settings.lease_s, proposed=proposed)
        work = None if claim is None else read_work(session, claim)
    if work is None:
        return None
    started_at_s = time.monotonic()
    log = logger.bind(job_id=work.claim.job_id, chunk_id=work.claim.chunk_id, num_images=len(work.images))
    try:
        _finish(runtime, work)
    except LeaseLostError:
        log.warning("chunk_lost")
    except WeightsError as error:
        _decline(runtime, work, error)
        return None
    else:
        log.info("chunk_done", duration_s=round(time.monotonic() - started_at_s, 3))
    return work.claim


def _finish(runtime: Runtime, work: ChunkWork) -> None:
    outcomes = label(runtime, work, HeldLease(runtime.database, work.claim, lease_s=runtime.settings.lease_s))
    with runtime.database.write() as session:
        held = leasing.finish(session, work.claim, outcomes)
    if not held:
        raise LeaseLostError(f"Chunk {work.claim.chunk_id} was leased to another worker before it was finished.")


def label(runtime: Runtime, work: ChunkWork, lease: HeldLease) -> list[Outcome]:
    """Predict every image of a chunk with every model of its job.

    Returns:
        One outcome per image and model, bad images included.

    Raises:
        LeaseLostError: another worker has the chunk now.
        WeightsError: a backbone cannot be loaded here.
    """
    with lease.while_loading():
        loaded = {model: _load(runtime, model) for model in work.models}
    contracts = {
        model: PreprocessingContract(backbone.spec.size_hw, work.options.resize) for model, backbone in loaded.items()
    }
    batch_size = min(backbone.engine.batch_size for backbone in loaded.values())
    batches = batched(_prepared(runtime, work, set(contracts.values()), lease), batch_size)
    return [
        outcome
        for batch in batches
        for outcome in _label_batch(batch, loaded, contracts, top_k_size=work.options.top_k)
    ]


def _label_batch(
    batch: Sequence[tuple[OwedImage, Prepared]],
    loaded: Mapping[AskedModel, LoadedBackbone],
    contracts: Mapping[AskedModel, PreprocessingContract],
    *,
    top_k_size: int,
) -> Iterator[Outcome]:
    good = [(image, found) for image, found in batch if not isinstance(found, ImageError)]
    features: dict[str, np.ndarray] = {}  # one pass of a backbone serves all its heads
    for model, backbone in loaded.items():
        for image, found in batch:
            if isinstance(found, ImageError):
                yield Outcome(image.ordinal, model.id, found)
        if good and model.backbone not in features:
            features[model.backbone] = backbone.engine.features(
                np.stack([arrays[contracts[model]] for _, arrays in good])
            )
        if good:
            predictions = _predictions(backbone.head.probabilities(features[model.backbone]), top_k_size)
            for (image, _), prediction in zip(good, predictions, strict=True):
                yield Outcome(image.ordinal, model.id, prediction)


def _prepared(
    runtime: Runtime, work: ChunkWork, contracts: set[PreprocessingContract], lease: HeldLease
) -> Iterator[tuple[OwedImage, Prepared]]:
    """Read, decode and resize in threads, ahead of the engine, in order."""

    def prepare(image: OwedImage) -> Prepared:
        try:
            return runtime.images.prepare(image.locator, contracts)
        except InputError as error:
            return ImageError(error.reason, error.detail)

    with ThreadPoolExecutor(runtime.settings.decode_threads, thread_name_prefix="decode") as pool:
        ahead = 2 * runtime.settings.batch_size
        for num_processed, (image, prepared) in enumerate(map_ahead(pool, prepare, work.images, ahead=ahead)):
            lease.progressed(num_processed)
            yield image, prepared


def _load(runtime: Runtime, model: AskedModel) -> LoadedBackbone:
    num_loads = runtime.num_loads
    backbone = runtime.backbones.get(model.backbone)
    runtime.problems.pop(model.backbone, None)
    if runtime.num_loads != num_loads or model.id not in runtime.labelled_models:
        with runtime.database.write() as session:
            model_store.ensure_labels(session, model.id, backbone.head.labels)
        runtime.labelled_models.add(model.id)
        runtime.report()
    return backbone


def _predictions(probabilities: np.ndarray, k: int) -> Sequence[Prediction]:
    indices, scores = top_k(probabilities, k)
    return [
        Prediction(tuple(map(int, row_indices)), tuple(map(float, row_scores)))
        for row_indices, row_scores in zip(indices, scores, strict=True)
    ]


def _decline(runtime: Runtime, work: ChunkWork, error: WeightsError) -> None:
    """Give the chunk back and ask for no more of its kind; another worker may have the weights."""
    logger.error("backbone_unavailable", problem=str(error))
    runtime.decline({model.backbone for model in work.models}, str(error))
    with runtime.database.write() as session:
        leasing.release(session, work.claim)
    runtime.report()
