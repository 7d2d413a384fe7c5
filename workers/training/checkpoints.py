"""Checkpoints: after every epoch, everything that a training goes on from, whoever goes on with it."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.errors import LeaseLostError
from core.training import EpochMetrics
from core.types import ArtifactKind, TrainMode
from db.artifacts import complete_artifacts, read_artifact, write_artifact
from db.database import Database
from db.ledger import leasing
from db.model_tables import ModelTable
from db.trainings import add_epoch, epochs_of
from workers.holding import HeldLease
from workers.ml.tensors import from_bytes, to_bytes

_STAGE = "stage"


class Checkpoints:
    """The checkpoints of one training. Only the last is kept.

    Args:
        database: where they are.
        model: what is trained.
        lease: nothing is written once it is lost.
    """

    def __init__(self, database: Database, model: ModelTable, lease: HeldLease) -> None:
        self._database = database
        self._model = model
        self._lease = lease

    def load(self) -> tuple[TrainMode, dict[str, np.ndarray]] | None:
        """The stage and the state to go on from; None at the very beginning.

        Raises:
            DamagedModelError: it is not what was written.
        """
        data = read_artifact(self._database, self._model.id, ArtifactKind.CHECKPOINT)
        if data is None:
            return None
        state, metadata = from_bytes(data, name=f"The checkpoint of {self._model.label}")
        return TrainMode(metadata[_STAGE]), state

    def save(self, stage: TrainMode, state: Mapping[str, np.ndarray], epoch: Sequence[EpochMetrics]) -> None:
        """Store how an epoch went, and the state behind it.

        Raises:
            LeaseLostError: another worker has the training now.
        """
        data = to_bytes(state, {_STAGE: stage})
        artifact_id = write_artifact(self._database, self._model.id, ArtifactKind.CHECKPOINT, data)
        with self._database.write() as session:
            held = leasing.checkpoint(session, self._lease.claim)
            if held:
                complete_artifacts(session, self._model.id, [artifact_id])
                add_epoch(session, self._model.id, epoch)
        if not held:
            raise LeaseLostError(f"The training of {self._model.label} is not this worker's any more.")

    def epochs(self) -> list[EpochMetrics]:
        """How the epochs went that are behind the last checkpoint, or in front of it."""
        with self._database.read() as session:
            return epochs_of(session, self._model.id)
