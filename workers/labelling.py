"""The labelling use case: get the features of a chunk's images, ask each model's head, write the rows."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from core.errors import LeaseLostError
from core.jobs import LabelOptions, Outcome, Prediction, StageSeconds
from core.preprocessing import PreprocessingContract
from core.types import LabelPrecision, TrainMode
from db import models as model_store
from db.ledger import leasing
from db.ledger.closing import close_finished_jobs, is_left_open
from workers.chunks import AskedModel, ChunkWork, OwedImage, read_work
from workers.features.kept import KeptFeatures, extractor_name
from workers.features.known import KnownContents, read_as
from workers.features.pipeline import FeaturePipeline
from workers.features.values import Extractor, Lane, Opened, Part, Slots, gathered
from workers.holding import HeldLease
from workers.images.loading import Images
from workers.images.suspicion import images_of
from workers.ml.heads import Head, top_k
from workers.ml.model_cache import LoadedBackbone
from workers.quantized import SUFFIX, ensure_quantized
from workers.runtime import Runtime

# Images whose features a head is asked about at a time. The fastest batches are small; a head would be read from memory
# for each of them.
RANKED_AT_ONCE = 256


@dataclass(frozen=True, eq=False, slots=True)
class Classifier:
    """A model, loaded."""

    model: AskedModel
    network: LoadedBackbone
    head: Head
    contract: PreprocessingContract  # the model's own, or for a published one the job's
    extractor: str  # what the features that it takes are stored under


class OwedImages:
    """Reads and decodes the images of a chunk; `workers.features.values.ImageSource`.

    Args:
        images: where they come from.
        known: what is in them, as far as it is known; None: it does not matter, for no features are kept.
    """

    def __init__(self, images: Images, known: KnownContents | None) -> None:
        self._images = images
        self._known = known

    def open(self, image: OwedImage) -> Opened:
        """Say what an image is, and read it if it has to be."""
        if self._known is None:
            return Opened(None, read_as(self._images, image.locator, image.sha256))
        return self._known.open(image.locator, sha256=image.sha256)

    def fill(self, image: OwedImage, data: bytes | np.ndarray | None, slots: Slots) -> None:
        """Decode it."""
        if data is None:
            assert self._known is not None, "`open` has read it"  # noqa: S101
            data = self._known.read(image.locator, sha256=image.sha256)
        self._images.fill(data, slots)


def label_chunk(runtime: Runtime, lease: HeldLease) -> None:
    """Label what a claim owes and write the rows.

    Raises:
        LeaseLostError: another worker has the chunk now.
        WeightsError: a network cannot be loaded here.
        EngineError: a network cannot be run here.
        DamagedModelError: what is stored of a model is damaged.
        UsageError: int8 was asked for, and cannot be had or changes too many labels.
    """
    claim = lease.claim
    work = runtime.database.query(lambda session: read_work(session, claim))
    with images_of(runtime, lease) as images:
        outcomes, seconds = label(runtime, work, lease, images)
    write_began_at_s = time.monotonic()
    with runtime.tracer.span("write", num_rows=len(outcomes)):
        held = runtime.database.transact(
            lambda session: leasing.finish(session, claim, outcomes, seconds=seconds),
            grows=True,
            on_wait=lease.progressed,
        )
    if not held:
        raise LeaseLostError(f"Chunk {claim.chunk_id} was leased to another worker before it was finished.")
    write_s = seconds.write_s + time.monotonic() - write_began_at_s
    runtime.metrics.labelled(outcomes, replace(seconds, write_s=write_s))
    # Of two chunks that end in the same moment neither saw the other's end.
    if runtime.database.query(lambda session: is_left_open(session, claim.job_id)):
        runtime.database.transact(lambda session: close_finished_jobs(session, job_id=claim.job_id))


def label(runtime: Runtime, work: ChunkWork, lease: HeldLease, images: Images) -> tuple[list[Outcome], StageSeconds]:
    """Predict every image of a chunk with every model of its job.

    Returns:
        One outcome per image and model, bad images included; and what it took.

    Raises:
        LeaseLostError: another worker has the chunk now.
        WeightsError: a network cannot be loaded here.
        EngineError: a network cannot be run here.
        DamagedModelError: what is stored of a model is damaged.
        UsageError: int8 was asked for, and cannot be had or changes too many labels.
    """
    classifiers = []
    with runtime.tracer.span("load", num_models=len(work.models)), lease.kept_alive():
        for model in work.models:
            classifiers.append(_load(runtime, work, model, images, lease))
            lease.progressed()
    known = KnownContents(runtime.database, images) if work.options.keep_features else None
    if known is not None:
        known.look_up(image.locator for image in work.images)
    lanes = _lanes(classifiers)
    pipeline = FeaturePipeline(
        runtime.threads,
        lanes,
        OwedImages(images, known),
        KeptFeatures(runtime.database) if known is not None else None,
        on_progress=lease.progressed,
    )
    outcomes: list[Outcome] = []
    parts = _progressing(pipeline.run(work.images), lease, num_lanes=len(lanes))
    with runtime.tracer.span("label", num_images=len(work.images)) as span:
        for part in gathered(parts, size=RANKED_AT_ONCE):
            outcomes += _judge(part, classifiers, work.options)
        span.note(**asdict(pipeline.seconds), num_computed=pipeline.num_computed, num_reused=pipeline.num_reused)
    if known is not None:
        known.save()
    return outcomes, pipeline.seconds


def _progressing(parts: Iterable[Part[OwedImage]], lease: HeldLease, *, num_lanes: int) -> Iterator[Part[OwedImage]]:
    """Pass parts on, and keep the lease for each."""
    num_done = 0
    for part in parts:
        num_done += len(part.items) + len(part.errors)
        lease.progressed(num_done // num_lanes)
        yield part


def _lanes(classifiers: Sequence[Classifier]) -> list[Lane]:
    """One lane for all networks that see the same pixels; one pass of a network serves all heads on it."""
    lanes: dict[PreprocessingContract, dict[str, Extractor]] = {}
    for classifier in classifiers:
        engine = classifier.network.engine
        extractor = Extractor(classifier.extractor, lambda engine=engine: engine)  # type: ignore[misc]
        lanes.setdefault(classifier.contract, {})[classifier.extractor] = extractor
    return [Lane(contract, tuple(extractors.values())) for contract, extractors in lanes.items()]


def _judge(part: Part[OwedImage], classifiers: Sequence[Classifier], options: LabelOptions) -> Iterator[Outcome]:
    for classifier in classifiers:
        if classifier.contract != part.lane.contract:
            continue
        for image, error in part.errors:
            yield Outcome(image.ordinal, classifier.model.id, error)
        if not part.items:
            continue
        thresholds = options.thresholds.get(str(classifier.model.id))
        predictions = to_predictions(classifier.head.probabilities(part.vectors[classifier.extractor]), options.top_k)
        for image, key, prediction in zip(part.items, part.keys, predictions, strict=True):
            needs_review = None if thresholds is None else _is_below(prediction, thresholds)
            sha256 = None if key is None else key.sha256
            yield Outcome(image.ordinal, classifier.model.id, prediction, sha256, needs_review)


def _is_below(prediction: Prediction, thresholds: Sequence[float]) -> bool:
    return prediction.scores[0] < thresholds[prediction.class_indices[0]]


def _load(runtime: Runtime, work: ChunkWork, model: AskedModel, images: Images, lease: HeldLease) -> Classifier:
    num_loads = runtime.num_loads
    is_int8 = work.options.precision is LabelPrecision.INT8
    name = model.network
    if is_int8:
        name = ensure_quantized(runtime, work, model, images, on_progress=lease.progressed)
    network = runtime.backbones.get(name)
    runtime.problems.pop(model.network, None)
    is_published = model.mode is None
    if is_published and (runtime.num_loads != num_loads or model.id not in runtime.labelled_models):
        runtime.database.transact(lambda session: model_store.ensure_labels(session, model.id, network.head.labels))
        runtime.labelled_models.add(model.id)
    if runtime.num_loads != num_loads:
        runtime.report()
    head = runtime.heads.get(model.id) if model.mode is TrainMode.HEAD else network.head
    contract = PreprocessingContract(network.spec.size_hw, model.resize or work.options.resize)
    extractor = extractor_name(f"{model.network_key}{SUFFIX if is_int8 else ''}", contract)
    return Classifier(model, network, head, contract, extractor)


def to_predictions(probabilities: np.ndarray, k: int) -> Sequence[Prediction]:
    """The best classes of each row of (N, C) probabilities."""
    indices, scores = top_k(probabilities, k)
    return [
        Prediction(tuple(row_indices), tuple(row_scores))
        for row_indices, row_scores in zip(indices.tolist(), scores.tolist(), strict=True)
    ]
