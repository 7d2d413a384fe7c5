"""What each mode fits: a head on kept features, a network with its head, or the one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.labels import ClassLabel
from core.types import Augment, Split, TrainMode
from db.results import class_labels
from db.samples import Sample
from workers.ml.ahead import batched
from workers.ml.backbones import Backbone
from workers.ml.catalog import BackboneSpec
from workers.ml.fitting import ArrayExamples
from workers.ml.heads import Head
from workers.ml.linear_learner import LinearLearner
from workers.ml.loading import affordable_batch_size
from workers.ml.networks import NUM_IMAGENET_CLASSES
from workers.training.contents import Contents
from workers.training.division import Division
from workers.training.images import ImageExamples
from workers.training.stages import StageResult, StageRunner
from workers.training.tools import Tools

# What fine-tuning trains if nothing is said.
DEFAULT_UNFREEZE = "30%"


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """What fitting came to."""

    head: Head
    vectors: Mapping[str, np.ndarray]  # what the head takes: (F,) float32 by sha256
    changed: Mapping[str, np.ndarray] | None  # variables of a network of its own; None: the published one
    num_trainable: int
    num_frozen: int
    result: StageResult


class Fitter:
    """Fits a model as its mode says.

    Args:
        tools: what to work with.
        contents: of the dataset's images.
        division: which of them are for what.
        runner: keeps the stages going.
    """

    def __init__(self, tools: Tools, contents: Contents, division: Division, runner: StageRunner) -> None:
        self._tools = tools
        self._contents = contents
        self._division = division
        self._runner = runner
        self._options = tools.work.options

    def fit(self) -> Fitted:
        """Fit to the end.

        Raises:
            LeaseLostError: the training was taken away.
            TrainingError: no model can come of it.
        """
        match self._options.mode:
            case TrainMode.HEAD:
                return self._fit_head()
            case TrainMode.FINETUNE if self._runner.has_passed(TrainMode.HEAD):
                self._runner.skip(TrainMode.HEAD)
                return self._fit_network(None)
            case TrainMode.FINETUNE:
                return self._fit_network(self._fit_head().head)
            case TrainMode.SCRATCH:
                return self._fit_network(None)

    def _fit_head(self) -> Fitted:
        train, val = (
            head_examples(self._tools, self._contents, self._division, split) for split in (Split.TRAIN, Split.VAL)
        )
        learner = LinearLearner(train.array, len(self._options.classes))
        result = self._runner.run(TrainMode.HEAD, learner, train, val)
        head = learner.head(self._labels())
        return Fitted(
            head,
            self._contents.vectors,
            None,
            head.num_parameters,
            num_backbone_parameters(self._tools.work.spec),
            result,
        )

    def _fit_network(self, head: Head | None) -> Fitted:
        # Keras comes with them.
        from workers.ml.backbones import build_backbone  # noqa: PLC0415
        from workers.ml.keras_learner import KerasLearner  # noqa: PLC0415
        from workers.ml.layers import layers_to_train  # noqa: PLC0415
        from workers.ml.trainable import build_network_model, count_parameters, head_from  # noqa: PLC0415
        from workers.ml.variables import changed_variables, collect_variables  # noqa: PLC0415

        mode, work = self._options.mode, self._tools.work
        # A network of its own: the one in the cache serves others.
        backbone = build_backbone(
            work.spec, weights=None if mode is TrainMode.SCRATCH else "imagenet", seed=self._options.seed
        )
        before = collect_variables(backbone.network)
        unfreeze = "all" if mode is TrainMode.SCRATCH else self._options.unfreeze or DEFAULT_UNFREEZE
        layers = layers_to_train(backbone.network, unfreeze)
        is_finetune = mode is TrainMode.FINETUNE
        model = build_network_model(
            backbone, len(self._options.classes), head=head, trainable=layers, batch_norm_frozen=is_finetune
        )
        num_trainable, num_frozen = count_parameters(model)
        result = self._runner.run(
            mode, KerasLearner(model), self._image_examples(Split.TRAIN), self._image_examples(Split.VAL)
        )
        # From scratch there is nothing published to compare with, so all of it is stored.
        changed = changed_variables(before, backbone.network) if is_finetune else collect_variables(backbone.network)
        return Fitted(
            head_from(model, self._labels()), self._vectors_of(backbone), changed, num_trainable, num_frozen, result
        )

    def _image_examples(self, split: Split) -> ImageExamples:
        samples = self._division.samples[split]
        level = self._options.augment if split is Split.TRAIN else Augment.NONE
        return ImageExamples(
            self._tools.prepared, samples, class_indices=_class_indices(samples), level=level, seed=self._options.seed
        )

    def _vectors_of(self, backbone: Backbone) -> dict[str, np.ndarray]:
        """What a network that was trained makes of every image, (F,) float32 by sha256."""
        from workers.ml.engines.keras_engine import KerasEngine  # noqa: PLC0415 - as above

        tools, hashes = self._tools, self._contents.sha256
        batch_size = affordable_batch_size(tools.work.spec, tools.runtime.settings.batch_size)
        engine = KerasEngine(backbone, batch_size=batch_size)
        # Equal images are one.
        samples = {hashes[sample.ordinal]: sample for sample in tools.work.samples if sample.ordinal in hashes}
        vectors: dict[str, np.ndarray] = {}
        for batch in batched(samples.items(), batch_size):
            images = np.stack(tools.prepared.get_all([sample for _, sample in batch]))
            vectors |= zip((sha256 for sha256, _ in batch), engine.features(images), strict=True)
            tools.lease.progressed()
        return vectors

    def _labels(self) -> tuple[ClassLabel, ...]:
        with self._tools.runtime.database.read() as session:
            return tuple(label for _, label in sorted(class_labels(session, self._tools.work.model.id).items()))


def head_examples(tools: Tools, contents: Contents, division: Division, split: Split) -> ArrayExamples:
    """What a head is fitted to: the features of a split, with those of augmented copies if it is for learning.

    Raises:
        LeaseLostError: the training was taken away.
        TrainingError: an image cannot be read any more.
    """
    samples = division.samples[split]
    features = np.stack([contents.vectors[contents.sha256[sample.ordinal]] for sample in samples])
    class_indices = _class_indices(samples)
    if split is Split.TRAIN and tools.work.options.augment is not Augment.NONE:
        copies, copied_indices = tools.features_of_copies(samples, contents)
        features = np.concatenate([features, copies])
        class_indices = np.concatenate([class_indices, copied_indices])
    return ArrayExamples(features, class_indices)


def _class_indices(samples: Sequence[Sample]) -> np.ndarray:
    return np.array([sample.class_index for sample in samples], np.int64)


def num_backbone_parameters(spec: BackboneSpec) -> int:
    """How many parameters a published network has without ImageNet's head; nothing is loaded to count them."""
    return spec.num_parameters - (spec.feature_size + 1) * NUM_IMAGENET_CLASSES
