"""Fitting a head without Keras: to the numbers that Keras comes to, and from checkpoints that it cannot read, anew."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from core.errors import DamagedModelError
from core.labels import ClassLabel
from core.training import EpochMetrics, TrainOptions
from core.types import ClassWeights, TrainMode
from workers.ml.figures import Figures
from workers.ml.fitting import ArrayExamples, FitOptions, Fitting
from workers.ml.keras_learner import KerasLearner
from workers.ml.learner import Learner
from workers.ml.linear_learner import LinearLearner
from workers.training import stages
from workers.training.stages import StageRunner

NUM_FEATURES, NUM_CLASSES = 20, 3
LABELS = tuple(ClassLabel(str(index), str(index)) for index in range(NUM_CLASSES))


def examples(num_images: int = 75, *, spread: float = 4.0) -> ArrayExamples:
    """Features as a network gives them: none negative, many zero, some always so."""
    random = np.random.default_rng(0)
    class_indices = np.arange(num_images) % NUM_CLASSES
    centres = random.normal(size=(NUM_CLASSES, NUM_FEATURES))
    points = np.maximum(0, centres[class_indices] + random.normal(size=(num_images, NUM_FEATURES))) * spread
    points[:, 7] = 0
    return ArrayExamples(points.astype(np.float32), class_indices.astype(np.int64))


def keras_head(features: np.ndarray) -> keras.Model:
    """What a head is, in Keras' words."""
    inputs = keras.Input((NUM_FEATURES,))
    scaled = keras.layers.Rescaling(1 / float(features.std()))(inputs)
    return keras.Model(inputs, keras.layers.Dense(NUM_CLASSES, kernel_initializer="zeros")(scaled))


def fit(learner: Learner, *, num_epochs: int = 5, class_weights: tuple[float, ...] | None = None, **changes: float):
    options = FitOptions(TrainMode.HEAD, num_epochs, 0, changes.get("rate", 0.01), 3, class_weights, 16)
    return [
        m for epoch in Fitting(learner, options).run(examples(), examples(30), on_batch=lambda: None) for m in epoch
    ]


@pytest.mark.parametrize("class_weights", [None, (0.2, 1.0, 2.5)])
def test_weights_and_figures_are_those_that_keras_comes_to(class_weights: tuple[float, ...] | None):
    features = examples().array
    ours, model = LinearLearner(features, NUM_CLASSES), keras_head(features)
    epochs = fit(ours, class_weights=class_weights)
    expected_epochs = fit(KerasLearner(model), class_weights=class_weights)
    kernel, bias = model.get_weights()
    head = ours.head(LABELS)
    assert np.abs(kernel).max() > 0.1, "it has learned something, or this shows nothing"
    np.testing.assert_allclose(head.weights * features.std(), kernel, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(head.bias, bias, rtol=1e-4, atol=1e-5)
    figures, expected = ([(m.loss, m.accuracy, m.learning_rate) for m in found] for found in (epochs, expected_epochs))
    np.testing.assert_allclose(figures, expected, rtol=1e-4)


def test_a_head_is_as_good_as_scikit_learns_regression_from_any_seed():
    random = np.random.default_rng(0)
    class_indices = np.arange(600) % 3
    centres = random.normal(size=(3, 64))
    features = np.maximum(0, centres[class_indices] * 0.35 + random.normal(size=(600, 64))).astype(np.float32)
    train, test = slice(0, 300), slice(300, 600)
    expected = LogisticRegression(max_iter=1000).fit(features[train], class_indices[train])
    accuracies = []
    for seed in range(3):
        learner = LinearLearner(features[train], 3)
        options = FitOptions(TrainMode.HEAD, 30, 5, 3e-4, seed, None, 32)
        learned_from = ArrayExamples(features[train], class_indices[train].astype(np.int64))
        list(Fitting(learner, options).run(learned_from, None, on_batch=lambda: None))
        found = learner.head(LABELS).probabilities(features[test]).argmax(axis=1)
        accuracies.append((found == class_indices[test]).mean())
    assert min(accuracies) >= expected.score(features[test], class_indices[test]) - 0.02


@pytest.mark.parametrize("spread", [1e-3, 1.0, 500.0])
def test_what_is_learned_does_not_depend_on_the_spread_of_features(spread: float):
    features, usual = examples(spread=spread), examples(spread=1.0)
    heads = []
    for found in (features, usual):
        learner = LinearLearner(found.array, NUM_CLASSES)
        options = FitOptions(TrainMode.HEAD, 5, 0, 0.01, 0, None, 16)
        list(Fitting(learner, options).run(found, None, on_batch=lambda: None))
        heads.append(learner.head(LABELS))
    np.testing.assert_allclose(heads[0].logits(features.array), heads[1].logits(usual.array), rtol=1e-3, atol=1e-4)


def test_features_that_are_all_the_same_teach_nothing_but_how_frequent_classes_are():
    same = ArrayExamples(np.full((8, NUM_FEATURES), 2, np.float32), np.array([0, 0, 0, 0, 0, 0, 1, 2]))
    learner = LinearLearner(same.array, NUM_CLASSES)
    options = FitOptions(TrainMode.HEAD, 20, 0, 0.01, 0, None, 8)
    list(Fitting(learner, options).run(same, None, on_batch=lambda: None))
    assert learner.is_finite
    assert (learner.head(LABELS).probabilities(same.array).argmax(axis=1) == 0).all()


class KeptCheckpoints:
    """Checkpoints in memory."""

    def __init__(self, saved: tuple[TrainMode, Mapping[str, np.ndarray]] | None) -> None:
        self.saved = saved
        self.numbers: list[int] = []
        self.num_saves = 0

    def load(self) -> tuple[TrainMode, Mapping[str, np.ndarray]] | None:
        return self.saved

    def save(self, stage: TrainMode, state: Mapping[str, np.ndarray], epoch: Sequence[EpochMetrics]) -> None:
        self.saved = stage, state
        self.num_saves += 1
        self.numbers += [metrics.number for metrics in epoch]


class NeverLostLease:
    """A lease that nobody takes away."""

    def progressed(self) -> None:
        """Be glad."""


def run_stage(mode: TrainMode, learner: Learner, checkpoints: KeptCheckpoints) -> None:
    options = TrainOptions(
        "lenet-5", tuple("abc"), mode, num_epochs=4, patience=0, class_weights=ClassWeights.NONE, learning_rate=0.01
    )
    StageRunner(options, (), checkpoints, NeverLostLease()).run(mode, learner, examples(), examples(30))


def state_of_keras_head() -> Mapping[str, np.ndarray]:
    """What was stored of a head before it was fitted without Keras."""
    fitting = Fitting(KerasLearner(keras_head(examples().array)), FitOptions(TrainMode.HEAD, 2, 0, 0.01, 0, None, 16))
    list(fitting.run(examples(), None, on_batch=lambda: None))
    return fitting.state


def test_a_head_whose_checkpoint_was_written_by_keras_is_fitted_anew():
    learner, expected = (LinearLearner(examples().array, NUM_CLASSES) for _ in range(2))
    checkpoints = KeptCheckpoints((TrainMode.HEAD, state_of_keras_head()))
    run_stage(TrainMode.HEAD, learner, checkpoints)
    run_stage(TrainMode.HEAD, expected, KeptCheckpoints(None))
    assert checkpoints.numbers == [1, 1, 2, 2, 3, 3, 4, 4]
    assert np.array_equal(learner.variables[0], expected.variables[0])


def test_a_head_goes_on_from_its_checkpoint_and_is_not_fitted_anew():
    learner = LinearLearner(examples().array, NUM_CLASSES)
    checkpoints = KeptCheckpoints(None)
    run_stage(TrainMode.HEAD, learner, checkpoints)
    again = LinearLearner(examples().array, NUM_CLASSES)
    checkpoints.numbers.clear()
    run_stage(TrainMode.HEAD, again, checkpoints)
    assert checkpoints.numbers == []
    assert np.array_equal(again.variables[0], learner.variables[0])


def test_a_network_whose_checkpoint_does_not_fit_is_an_error_that_says_what_to_do():
    inputs = keras.Input((NUM_FEATURES,))
    learner = KerasLearner(keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(keras.layers.Dense(4)(inputs))))
    before = learner.variables
    with pytest.raises(DamagedModelError, match="Cancel the job, and train again"):
        run_stage(TrainMode.SCRATCH, learner, KeptCheckpoints((TrainMode.SCRATCH, state_of_keras_head())))
    assert all(np.array_equal(now, was) for now, was in zip(learner.variables, before, strict=True))


def test_short_epochs_share_a_checkpoint_and_none_of_them_is_lost():
    checkpoints = KeptCheckpoints(None)
    run_stage(TrainMode.HEAD, LinearLearner(examples().array, NUM_CLASSES), checkpoints)
    assert checkpoints.num_saves < 4
    assert checkpoints.numbers == [1, 1, 2, 2, 3, 3, 4, 4]


def test_epochs_that_are_not_short_have_a_checkpoint_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stages, "CHECKPOINT_INTERVAL_S", 0)
    checkpoints = KeptCheckpoints(None)
    run_stage(TrainMode.HEAD, LinearLearner(examples().array, NUM_CLASSES), checkpoints)
    assert checkpoints.num_saves == 4


def test_the_checkpoint_of_the_last_epoch_holds_that_epoch_and_not_the_best():
    class EndsWorse(LinearLearner):
        """Is spoilt in its last epoch."""

        num_judged = 0

        def judge(self, inputs: np.ndarray, class_indices: np.ndarray) -> Figures:
            self.num_judged += 1
            # One batch of validation images in each epoch.
            return super().judge(inputs, class_indices if self.num_judged <= 3 else (class_indices + 1) % NUM_CLASSES)

    learner, checkpoints = EndsWorse(examples().array, NUM_CLASSES), KeptCheckpoints(None)
    run_stage(TrainMode.HEAD, learner, checkpoints)
    assert checkpoints.saved is not None
    state = checkpoints.saved[1]
    assert np.array_equal(learner.variables[0], state["best/00000"])
    assert not np.array_equal(state["variable/00000"], state["best/00000"])
