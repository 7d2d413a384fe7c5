"""What a report is made of, as frozen values: whoever reads the database fills them, templates only show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.training import EpochMetrics
from core.types import Split, TrainMode
from workers.ml.evaluation import Evaluation
from workers.ml.zero_shot import ZeroShot


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image that the model is wrong about."""

    name: str
    true: str  # what people say it shows
    predicted: str  # what the model says
    score: float  # 0..1, how sure it was
    thumbnail: bytes | None  # PNG or JPEG; None: the image cannot be read any more


@dataclass(frozen=True, slots=True)
class LeftOutImage:
    """An image of the dataset that was used for nothing."""

    name: str
    reason: str  # a word or two
    detail: str  # a sentence; may be empty


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting that was tried."""

    learning_rate: float
    num_epochs: int  # at most
    augment: str
    val_loss: float  # of its best epoch, in nats
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ModelReport:
    """All that a report shows of one version of a model. What is missing leaves its section out."""

    name: str
    version: int
    backbone: str
    mode: TrainMode
    created: str  # date and time, for people
    num_images: Mapping[str, Mapping[str, int]]  # that were used, by split, by class
    options: Mapping[str, str]  # how it was trained, for people
    num_trainable: int  # parameters that were fitted
    num_frozen: int  # parameters that stayed as they were
    epochs: Sequence[EpochMetrics]
    best_epoch: int | None  # the one that was kept
    evaluations: Mapping[Split, Evaluation]
    temperature: float | None  # that is folded into the head; None: it was not calibrated
    zero_shot: ZeroShot | None
    mistakes: Sequence[Mistake]  # in any order
    left_out: Sequence[LeftOutImage]  # could not be read, or are duplicates or contradictions
    notes: Sequence[str]  # sentences for people
    trials: Sequence[Trial] = ()  # settings that were searched, in the order in which they were tried

    @property
    def held_out(self) -> Split | None:
        """The part of the dataset that the headline figures are of: the one that had the least part in training."""
        return next((split for split in (Split.TEST, Split.VAL, Split.TRAIN) if split in self.evaluations), None)
