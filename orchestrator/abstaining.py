"""Thresholds below which a model's predictions need a human look, from its answers to images that were held out."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import Split
from db.model_tables import ModelTable
from db.results import class_labels
from db.rows import read_topk
from db.samples import JudgedSample, judged_samples
from workers.ml.abstention import fit_thresholds


def thresholds_of(session: Session, model_ids: Sequence[int], precision: float | None) -> dict[str, tuple[float, ...]]:
    """Fit the thresholds of some models.

    Args:
        session: any transaction.
        model_ids: the models.
        precision: the share of the other predictions that is to be right; None: nobody asks.

    Returns:
        By the id of each model, as text, the threshold of each class.

    Raises:
        UsageError: the share is none, or a model has no images that were held out.
    """
    if precision is None:
        return {}
    return {str(model_id): _thresholds(session, model_id, precision) for model_id in model_ids}


def _thresholds(session: Session, model_id: int, precision: float) -> tuple[float, ...]:
    model = session.get_one(ModelTable, model_id)
    held_out = [] if model.job_id is None else _held_out(session, model)
    if not held_out:
        raise UsageError(
            f"--abstain needs answers to labelled images that a model has not learned from; {model.label} has none. "
            "Expected models that were trained here, with validation images."
        )
    answers = [read_topk(str(sample.topk))[0] for sample in held_out]
    return fit_thresholds(
        np.array([sample.true for sample in held_out]),
        np.array([index for index, _ in answers]),
        np.array([score for _, score in answers]),
        num_classes=len(class_labels(session, model_id)),
        precision=precision,
    )


def _held_out(session: Session, model: ModelTable) -> list[JudgedSample]:
    """Validation images; a test part is for measuring alone, but better than nothing."""
    judged = [sample for sample in judged_samples(session, model.job_id or 0, model.id) if sample.topk is not None]
    for split in (Split.VAL, Split.TEST):
        if found := [sample for sample in judged if sample.used_as is split]:
            return found
    return []
