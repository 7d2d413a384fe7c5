"""Which of two models is better, on images that neither has learned from, and whether that is more than chance."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.types import Split
from db.model_tables import ModelTable
from db.rows import read_topk
from db.samples import judged_samples
from orchestrator.models import ModelSummary, summarise_model
from orchestrator.naming import find_trained
from workers.ml.evaluation import mcnemar_p


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models side by side."""

    first: ModelSummary
    second: ModelSummary
    num_common: int  # images that both were measured on and neither has learned from
    first_accuracy: float | None  # on those; None: there are none
    second_accuracy: float | None
    num_only_first_right: int
    num_only_second_right: int
    p_value: float | None  # McNemar's: how likely so large a difference is if neither is better
    datasets: tuple[tuple[str, float, float], ...]  # that both were evaluated on: its name, and both accuracies

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare_models(session: Session, first: str, second: str) -> Comparison:
    """Compare two models of one's own.

    Raises:
        UnknownModelError: one of them is not there.
        UsageError: they are the same, or one is not trained yet.
    """
    models = [find_trained(session, text) for text in (first, second)]
    for model in models:
        if model.ready_at is None:
            raise UsageError(f"{model.label} has not been trained to its end, so there is nothing to compare.")
    if models[0].id == models[1].id:
        raise UsageError(f"{first} and {second} are the same model, {models[0].label}. Name two.")
    summaries = [summarise_model(session, model) for model in models]
    verdicts = [_verdicts(session, model) for model in models]
    common = sorted(set(verdicts[0]) & set(verdicts[1]))
    right = [np.array([verdict[sha256] for sha256 in common], bool) for verdict in verdicts]
    return Comparison(
        first=summaries[0],
        second=summaries[1],
        num_common=len(common),
        first_accuracy=float(right[0].mean()) if common else None,
        second_accuracy=float(right[1].mean()) if common else None,
        num_only_first_right=int((right[0] & ~right[1]).sum()),
        num_only_second_right=int((right[1] & ~right[0]).sum()),
        p_value=mcnemar_p(right[0], right[1]) if common else None,
        datasets=_datasets(*summaries),
    )


def _verdicts(session: Session, model: ModelTable) -> dict[str, bool]:
    """Whether a model is right, by the content of each image that was held out from its training."""
    if model.job_id is None:
        return {}
    return {
        sample.sha256: read_topk(sample.topk)[0][0] == sample.true
        for sample in judged_samples(session, model.job_id, model.id)
        if sample.used_as in (Split.VAL, Split.TEST) and sample.topk is not None and sample.sha256 is not None
    }


def _datasets(first: ModelSummary, second: ModelSummary) -> tuple[tuple[str, float, float], ...]:
    """Datasets that both were evaluated on, by their names; the latest figures."""
    accuracies = [
        {found.dataset: found.accuracy for found in summary.evaluations if found.split is None}
        for summary in (first, second)
    ]
    return tuple((name, accuracies[0][name], accuracies[1][name]) for name in accuracies[0] if name in accuracies[1])
