"""What a claimed chunk asks for, read from the ledger in one go."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.items import Locator, locator_from_text
from core.jobs import Claim, LabelOptions
from core.types import ResizeMode, TrainMode
from db.ledger.leasing import owed_ordinals
from db.ledger.progress import models_of
from db.tables import ImageTable, JobTable


@dataclass(frozen=True, slots=True)
class OwedImage:
    """One image that a chunk owes a row."""

    ordinal: int
    locator: Locator
    sha256: str | None = None  # the content that is meant; None: whatever is there


@dataclass(frozen=True, slots=True)
class AskedModel:
    """One model that a job applies."""

    id: int
    network: str  # what has to be loaded for it
    mode: TrainMode | None  # None: published
    resize: ResizeMode | None  # None: as the job says

    @property
    def network_key(self) -> str:
        """What tells the network from every other that there ever was; a deleted model's name may come again."""
        return self.network if self.mode in (None, TrainMode.HEAD) else f"{self.network}#{self.id}"


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """Everything that a worker needs for one chunk."""

    claim: Claim
    options: LabelOptions
    models: tuple[AskedModel, ...]
    images: tuple[OwedImage, ...]


def read_work(session: Session, claim: Claim) -> ChunkWork:
    """Read what a claim owes."""
    ordinals = owed_ordinals(claim.job_id, claim.first_ordinal, claim.last_ordinal, redo=claim.redo)
    rows = session.execute(
        select(ImageTable.ordinal, ImageTable.locator, ImageTable.sha256)
        .where(ImageTable.job_id == claim.job_id, ImageTable.ordinal.in_(ordinals))
        .order_by(ImageTable.ordinal)
    )
    return ChunkWork(
        claim=claim,
        options=LabelOptions.from_json(session.get_one(JobTable, claim.job_id).options),
        models=tuple(AskedModel(row.id, row.network, row.mode, row.resize) for row in models_of(session, claim.job_id)),
        images=tuple(OwedImage(ordinal, locator_from_text(text), sha256) for ordinal, text, sha256 in rows),
    )
