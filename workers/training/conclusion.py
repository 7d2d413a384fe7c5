"""The end of a training: the model's answer to every image of its dataset, how good it is, and the one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import LeaseLostError
from core.jobs import Outcome
from core.training import TrainingRecord
from core.types import ArtifactKind, Split
from db.artifacts import write_artifact
from db.database import Database
from db.ledger import leasing
from db.model_tables import ModelTable
from db.samples import Sample, note_uses
from db.trainings import NewEvaluation, TrainedModel, make_ready
from workers.labelling import to_predictions
from workers.ml.calibration import fit_temperature, scale
from workers.ml.evaluation import evaluate
from workers.ml.heads import Head, top_k
from workers.ml.tensors import to_bytes
from workers.trained import head_tensors
from workers.training.contents import Contents
from workers.training.division import Division
from workers.training.work import TrainingWork

# Answers that are kept of each image of the dataset; `label` keeps as many by default.
TOP_K = 5


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a trained model says of its dataset."""

    head: Head  # calibrated
    temperature: float
    probabilities: Mapping[str, np.ndarray]  # by sha256: (C,) float32

    def of(self, samples: Sequence[Sample], contents: Contents) -> np.ndarray:
        """The probabilities of some samples, (N, C) float32."""
        return np.stack([self.probabilities[contents.sha256[sample.ordinal]] for sample in samples])


def answer(head: Head, vectors: Mapping[str, np.ndarray], contents: Contents, division: Division) -> Answers:
    """Calibrate a head on the validation images, and ask it about every image.

    Args:
        head: as it was fitted.
        vectors: (F,) float32 features by sha256.
        contents: the hashes of the samples.
        division: which samples are for validation.
    """
    val = division.samples.get(Split.VAL, ())
    temperature = 1.0
    if val:
        features = np.stack([vectors[contents.sha256[sample.ordinal]] for sample in val])
        temperature = fit_temperature(head.logits(features), np.array([sample.class_index for sample in val]))
    calibrated = scale(head, temperature)
    probabilities = calibrated.probabilities(np.stack(list(vectors.values())))
    return Answers(calibrated, temperature, dict(zip(vectors, probabilities, strict=True)))


def measure(answers: Answers, work: TrainingWork, contents: Contents, division: Division) -> tuple[NewEvaluation, ...]:
    """How good the answers are, on each split."""
    evaluations = []
    for split, samples in division.samples.items():
        indices, scores = top_k(answers.of(samples, contents), TOP_K)
        true = np.array([sample.class_index for sample in samples])
        found = evaluate(true, indices, scores, work.options.classes)
        evaluations.append(NewEvaluation(work.dataset, split, found.num_images, found.accuracy, found.to_json()))
    return tuple(evaluations)


@dataclass(frozen=True, eq=False, slots=True)
class Conclusion:
    """Everything that a training ends with."""

    answers: Answers
    changed: Mapping[str, np.ndarray] | None  # variables of the model's own network
    evaluations: tuple[NewEvaluation, ...]
    record: TrainingRecord


def write(
    database: Database, work: TrainingWork, contents: Contents, division: Division, conclusion: Conclusion
) -> None:
    """Write a trained model. It counts from the last transaction on, which is fenced, or not at all.

    Raises:
        LeaseLostError: another worker has the training now.
    """
    files = {ArtifactKind.HEAD: head_tensors(conclusion.answers.head)}
    if conclusion.changed is not None:
        files[ArtifactKind.NETWORK] = dict(conclusion.changed)
    artifact_ids = tuple(
        write_artifact(database, work.model.id, kind, to_bytes(tensors, {})) for kind, tensors in files.items()
    )
    trained = TrainedModel(
        artifact_ids=artifact_ids,
        fingerprint=division.fingerprint,
        temperature=conclusion.answers.temperature,
        record=conclusion.record,
        evaluations=conclusion.evaluations,
    )
    outcomes = _outcomes(conclusion.answers, work, contents)
    with database.write() as session:
        held = leasing.finish(session, work.claim, outcomes)
        if held:
            note_uses(session, work.claim.job_id, division.uses)
            make_ready(session, session.get_one(ModelTable, work.model.id), trained)
    if not held:
        raise LeaseLostError(f"The training of {work.model.label} is not this worker's any more.")


def _outcomes(answers: Answers, work: TrainingWork, contents: Contents) -> list[Outcome]:
    """The row that every image of the dataset ends with."""
    readable = [sample for sample in work.samples if sample.ordinal in contents.sha256]
    predictions = to_predictions(answers.of(readable, contents), TOP_K)
    results = {sample.ordinal: prediction for sample, prediction in zip(readable, predictions, strict=True)}
    return [
        Outcome(
            sample.ordinal,
            work.model.id,
            results.get(sample.ordinal) or contents.errors[sample.ordinal],
            contents.sha256.get(sample.ordinal),
        )
        for sample in work.samples
    ]
