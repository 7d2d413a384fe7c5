"""The training use case, as a story: read, divide, fit, measure, write."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import structlog

from core.items import locator_from_text
from core.training import TrainingRecord
from core.types import JobKind, Split
from workers.features.known import KnownContents
from workers.holding import HeldLease
from workers.images.suspicion import images_of
from workers.ml.heads import top_k
from workers.ml.memory import COPIES_TRAINED, require_memory
from workers.ml.zero_shot import ZeroShot, zero_shot
from workers.runtime import Runtime
from workers.training.checkpoints import Checkpoints
from workers.training.conclusion import Conclusion, answer, measure, write
from workers.training.contents import Contents, LabelledImages, collect_contents
from workers.training.division import Division, divide
from workers.training.fits import Fitted, Fitter
from workers.training.stages import StageRunner
from workers.training.tools import Tools, get_tools
from workers.training.tuning import tune
from workers.training.work import read_training

logger = structlog.get_logger(__name__)


def train(runtime: Runtime, lease: HeldLease) -> None:
    """Train what a claim asks for and write it.

    Raises:
        LeaseLostError: another worker has the training now, or it was paused or cancelled.
        TrainingError: no model can come of it.
        WeightsError: published weights that it needs cannot be had here.
        DamagedModelError: its checkpoint is damaged.
        UnknownModelError: this version does not know its backbone.
        EngineError: memory is too small for it here.
    """
    work = runtime.database.query(lambda session: read_training(session, lease.claim))
    with lease.kept_alive(), images_of(runtime, lease) as images:
        started_at_s = time.monotonic()
        tools = get_tools(runtime, work, lease, images)
        if tools.needs_pixels:
            require_memory(work.spec, num_copies=COPIES_TRAINED)
        known = KnownContents(runtime.database, images)
        known.look_up(locator_from_text(sample.locator) for sample in work.samples)
        source = LabelledImages(images, known, tools.prepared if tools.needs_pixels else None)
        contents = collect_contents(tools.extract(source, work.samples))
        known.save()
        division = divide(work, contents)
        trials: tuple[Mapping[str, Any], ...] = ()
        if work.options.tunes:
            tuned = tune(tools, contents, division)
            work, trials = replace(work, options=tuned.options), tuned.trials
            tools = replace(tools, work=work)
        checkpoints = Checkpoints(runtime.database, work.model, lease)
        runner = StageRunner(work.options, division.samples[Split.TRAIN], checkpoints, lease)
        fitted = Fitter(tools, contents, division, runner).fit()
        answers = answer(fitted.head, fitted.vectors, contents, division)
        record = _record(tools, contents, division, fitted, duration_s=time.monotonic() - started_at_s)
        record = replace(record, trials=trials)
        evaluations = measure(answers, work, contents, division)
        write(runtime.database, work, contents, division, Conclusion(answers, fitted.changed, evaluations, record))
    logger.info("model_trained", model=work.model.label, num_epochs=record.num_epochs, duration_s=record.duration_s)


def _record(
    tools: Tools, contents: Contents, division: Division, fitted: Fitted, *, duration_s: float
) -> TrainingRecord:
    work = tools.work
    baseline = _zero_shot(tools, contents, division)
    return TrainingRecord(
        options=work.options.to_json(),
        num_trainable=fitted.num_trainable,
        num_frozen=fitted.num_frozen,
        num_epochs=fitted.result.num_epochs,
        best_epoch=fitted.result.best_epoch,
        num_images=division.num_images(work.options.classes),
        num_bad=len(contents.errors),
        num_left_out=division.num_left_out,
        num_features_computed=tools.counts.num_computed,
        num_features_reused=tools.counts.num_reused,
        duration_s=round(duration_s, 3),
        zero_shot=None if baseline is None else baseline.to_json(),
        notes=_notes(division, fitted),
    )


def _notes(division: Division, fitted: Fitted) -> tuple[str, ...]:
    notes = []
    if fitted.result.stopped_because is not None:
        notes.append(fitted.result.stopped_because)
    if division.num_left_out:
        notes.append(
            f"{division.num_left_out} images were left out, because the same image is there twice, or has two labels."
        )
    return tuple(notes)


def _zero_shot(tools: Tools, contents: Contents, division: Division) -> ZeroShot | None:
    """What the published network says of the held-out images by itself."""
    if not tools.needs_published or tools.work.claim.kind is not JobKind.TRAIN:
        # A retraining is measured against the champion, and may have no need of the network at all.
        return None
    samples = division.samples.get(Split.TEST) or division.samples.get(Split.VAL) or division.samples[Split.TRAIN]
    features = np.stack([contents.vectors[contents.sha256[sample.ordinal]] for sample in samples])
    head = tools.published().head
    indices, _ = top_k(head.probabilities(features), 1)
    true = np.array([sample.class_index for sample in samples])
    return zero_shot(true, indices, tools.work.options.classes, head.labels)
