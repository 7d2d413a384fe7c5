"""How a challenger and the champion do on the same images, which neither has learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core.errors import DatasetError
from db.model_tables import ModelTable
from db.rows import read_topk
from db.samples import JudgedSample, judged_samples
from orchestrator.evaluating import measure
from workers.ml.bootstrap import PairedFigures, compare_paired
from workers.ml.evaluation import Evaluation

# The resamples of a bootstrap are the same whenever it is asked again.
SEED = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """One version on the test images."""

    model: str  # as a user types it
    accuracy: float
    macro_f1: float
    macro_precision: float
    macro_recall: float
    ece: float
    recall: Mapping[str, float]  # by class, of those that the test has

    @classmethod
    def of(cls, model: str, evaluation: Evaluation) -> "Scores":
        """Take them from an evaluation."""
        return cls(
            model=model,
            accuracy=evaluation.accuracy,
            macro_f1=evaluation.macro.f1,
            macro_precision=evaluation.macro.precision,
            macro_recall=evaluation.macro.recall,
            ece=evaluation.ece,
            recall={figures.label: figures.recall for figures in evaluation.classes if figures.support},
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two versions side by side."""

    champion: Scores
    challenger: Scores
    paired: PairedFigures  # with their intervals

    @property
    def is_tie(self) -> bool:
        """Whether every figure is the same, so that there is no reason to change."""
        figures = (self.paired.accuracy, self.paired.macro_f1, self.paired.macro_precision, self.paired.macro_recall)
        return all(figure.difference == 0 for figure in figures)

    @property
    def drops(self) -> dict[str, float]:
        """By how much the recall of each class falls; below 0 where it rises."""
        return {name: recall - self.challenger.recall[name] for name, recall in self.champion.recall.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return {
            "champion": asdict(self.champion),
            "challenger": asdict(self.challenger),
            "paired": self.paired.to_json(),
        }


def judge(
    session: Session, job_id: int, champion: ModelTable, challenger: ModelTable, classes: tuple[str, ...]
) -> Verdict:
    """Compare two versions by what a job asked them.

    Args:
        session: any transaction.
        job_id: the job, which has ended.
        champion: whose classes are the first of the challenger's.
        challenger: the other one.
        classes: of the challenger.

    Raises:
        DatasetError: there is no image that both have answered.
    """
    answered = [
        {sample.ordinal: sample for sample in judged_samples(session, job_id, model.id) if sample.topk is not None}
        for model in (champion, challenger)
    ]
    common = sorted(answered[0].keys() & answered[1].keys())
    if not common:
        raise DatasetError(f"None of the test images of job {job_id} could be read, so there is nothing to compare.")
    of_champion, of_challenger = ([samples[ordinal] for ordinal in common] for samples in answered)
    return Verdict(
        champion=Scores.of(champion.label, measure(of_champion, classes)),
        challenger=Scores.of(challenger.label, measure(of_challenger, classes)),
        paired=compare_paired(
            np.array([sample.true for sample in of_champion]),
            _first_answers(of_champion),
            _first_answers(of_challenger),
            num_classes=len(classes),
            seed=SEED,
        ),
    )


def _first_answers(judged: Sequence[JudgedSample]) -> np.ndarray:
    return np.array([read_topk(str(sample.topk))[0][0] for sample in judged])
