"""What a claimed training asks for, read from the ledger in one go."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.jobs import Claim
from core.preprocessing import PreprocessingContract
from core.training import TrainOptions
from db.ledger.control import get_job
from db.ledger.progress import models_of
from db.model_tables import ModelTable
from db.samples import Sample, samples_of
from workers.ml.catalog import BackboneSpec, get_backbone


@dataclass(frozen=True, slots=True)
class TrainingWork:
    """Everything that a worker needs for one training."""

    claim: Claim
    dataset: str  # as the user called it
    options: TrainOptions
    model: ModelTable  # the version that is to become ready; detached from its session
    samples: tuple[Sample, ...]

    @property
    def spec(self) -> BackboneSpec:
        """Which network."""
        return get_backbone(self.options.backbone)

    @property
    def contract(self) -> PreprocessingContract:
        """What is done to pixels."""
        return PreprocessingContract(self.spec.size_hw, self.options.resize)


def read_training(session: Session, claim: Claim) -> TrainingWork:
    """Read what a claim asks for."""
    job = get_job(session, claim.job_id)
    (model,) = models_of(session, claim.job_id)
    return TrainingWork(
        claim=claim,
        dataset=job.sources[0]["text"],
        options=TrainOptions.from_json(job.options),
        model=model,
        samples=tuple(samples_of(session, claim.job_id)),
    )
