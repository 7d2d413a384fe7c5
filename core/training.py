"""What a training job asks for and what it reports: frozen values that every layer passes on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.types import Augment, ClassWeights, ResizeMode, Split, TrainMode

DEFAULT_BACKBONE = "mobilenet"
DEFAULT_NUM_EPOCHS = 30
DEFAULT_VAL_SHARE = 0.2
# Random weights may get worse for a while before they get better, so from scratch all epochs are run.
DEFAULT_PATIENCE = {TrainMode.HEAD: 5, TrainMode.FINETUNE: 5, TrainMode.SCRATCH: 0}
DEFAULT_MAX_BAD_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a training job treats its images; stored with the job."""

    backbone: str
    classes: tuple[str, ...]  # what the classes are called, by class index
    mode: TrainMode = TrainMode.HEAD
    unfreeze: str | None = None  # fine-tuning: "30%" of the layers from the top, a layer's name and all above, or "all"
    num_epochs: int = DEFAULT_NUM_EPOCHS
    val_share: float = DEFAULT_VAL_SHARE  # of the training images, where the dataset has no validation part
    augment: Augment = Augment.NONE
    class_weights: ClassWeights = ClassWeights.AUTO
    patience: int = DEFAULT_PATIENCE[
        TrainMode.HEAD
    ]  # epochs without a better validation loss before it stops; 0: never
    learning_rate: float | None = None  # None: what suits the mode
    seed: int = 0
    resize: ResizeMode = ResizeMode.CROP
    max_bad_share: float = DEFAULT_MAX_BAD_SHARE  # of all images; with more that cannot be read, the job fails
    tunes: bool = False  # whether rate, epochs and augmentation of the head are searched for, by the validation images

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainOptions":
        """Read what `to_json` wrote."""
        return cls(
            **{
                **values,
                "classes": tuple(values["classes"]),
                "mode": TrainMode(values["mode"]),
                "augment": Augment(values["augment"]),
                "class_weights": ClassWeights(values["class_weights"]),
                "resize": ResizeMode(values["resize"]),
            }
        )


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """How one pass over one split went."""

    number: int  # from 1; goes on counting when fine-tuning follows on the head
    stage: TrainMode  # what was being trained; fine-tuning begins with a head
    split: Split
    loss: float  # mean cross-entropy in nats
    accuracy: float  # 0..1
    learning_rate: float  # at the end of the epoch
    duration_s: float


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """How a model came to be; stored with it, and what its report is made of."""

    options: Mapping[str, Any]  # TrainOptions.to_json()
    num_trainable: int  # parameters that were fitted, the head's included
    num_frozen: int  # parameters that stayed as they were
    num_epochs: int  # that were run, all stages together
    best_epoch: int  # the one that was kept; its number as in EpochMetrics
    num_images: Mapping[str, Mapping[str, int]]  # by split, by class
    num_bad: int  # images that could not be read
    num_left_out: int  # duplicates, and images with contradictory labels
    num_features_computed: int  # feature vectors that this training computed
    num_features_reused: int  # and those that were stored already
    duration_s: float
    zero_shot: Mapping[str, Any] | None  # workers.ml.zero_shot.ZeroShot; what the backbone says without training
    notes: tuple[str, ...]  # sentences for people
    trials: tuple[Mapping[str, Any], ...] = ()  # settings that were searched, workers.training.tuning.Trial

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainingRecord":
        """Read what `to_json` wrote."""
        return cls(**{**values, "notes": tuple(values["notes"]), "trials": tuple(values.get("trials", ()))})
