"""The labelling use case: read a chunk's images, decode, predict, write the rows."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.errors import InputError, LeaseLostError
from core.jobs import ImageError, Outcome, Prediction
from core.preprocessing import PreprocessingContract
from core.types import ResizeMode, TrainMode
from db import models as model_store
from db.ledger import leasing
from workers.chunks import AskedModel, ChunkWork, OwedImage, read_work
from workers.holding import HeldLease
from workers.ml.ahead import batched, map_ahead
from workers.ml.heads import Head, top_k
from workers.ml.model_cache import LoadedBackbone
from workers.runtime import Runtime

# One image as every backbone of the job wants it: contract -> (H, W, 3) uint8 RGB; or why it cannot be.
Prepared = dict[PreprocessingContract, np.ndarray] | ImageError


@dataclass(frozen=True, eq=False, slots=True)
class Classifier:
    """A model, loaded."""

    model: AskedModel
    network: LoadedBackbone
    head: Head
    contract: PreprocessingContract  # the model's own, or for a published one the job's


def label_chunk(runtime: Runtime, lease: HeldLease) -> None:
    """Label what a claim owes and write the rows.

    Raises:
        LeaseLostError: another worker has the chunk now.
        WeightsError: a network cannot be loaded here.
        DamagedModelError: what is stored of a model is damaged.
    """
    with runtime.database.read() as session:
        work = read_work(session, lease.claim)
    outcomes = label(runtime, work, lease)
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
        WeightsError: a network cannot be loaded here.
        DamagedModelError: what is stored of a model is damaged.
    """
    with lease.kept_alive():
        classifiers = [_load(runtime, model, work.options.resize) for model in work.models]
    batch_size = min(classifier.network.engine.batch_size for classifier in classifiers)
    contracts = {classifier.contract for classifier in classifiers}
    batches = batched(_prepared(runtime, work, contracts, lease), batch_size)
    return [outcome for batch in batches for outcome in _label_batch(batch, classifiers, top_k_size=work.options.top_k)]


def _label_batch(
    batch: Sequence[tuple[OwedImage, Prepared]], classifiers: Sequence[Classifier], *, top_k_size: int
) -> Iterator[Outcome]:
    good = [(image, found) for image, found in batch if not isinstance(found, ImageError)]
    # One pass of a network serves all heads that see the same pixels.
    features: dict[tuple[str, PreprocessingContract], np.ndarray] = {}
    for classifier in classifiers:
        for image, found in batch:
            if isinstance(found, ImageError):
                yield Outcome(image.ordinal, classifier.model.id, found)
        if not good:
            continue
        key = classifier.model.network, classifier.contract
        if key not in features:
            features[key] = classifier.network.engine.features(
                np.stack([arrays[classifier.contract] for _, arrays in good])
            )
        predictions = to_predictions(classifier.head.probabilities(features[key]), top_k_size)
        for (image, _), prediction in zip(good, predictions, strict=True):
            yield Outcome(image.ordinal, classifier.model.id, prediction)


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


def _load(runtime: Runtime, model: AskedModel, resize: ResizeMode) -> Classifier:
    num_loads = runtime.num_loads
    network = runtime.backbones.get(model.network)
    runtime.problems.pop(model.network, None)
    is_published = model.mode is None
    if is_published and (runtime.num_loads != num_loads or model.id not in runtime.labelled_models):
        with runtime.database.write() as session:
            model_store.ensure_labels(session, model.id, network.head.labels)
        runtime.labelled_models.add(model.id)
    if runtime.num_loads != num_loads:
        runtime.report()
    head = runtime.heads.get(model.id) if model.mode is TrainMode.HEAD else network.head
    return Classifier(model, network, head, PreprocessingContract(network.spec.size_hw, model.resize or resize))


def to_predictions(probabilities: np.ndarray, k: int) -> Sequence[Prediction]:
    """The best classes of each row of (N, C) probabilities."""
    indices, scores = top_k(probabilities, k)
    return [
        Prediction(tuple(map(int, row_indices)), tuple(map(float, row_scores)))
        for row_indices, row_scores in zip(indices, scores, strict=True)
    ]
