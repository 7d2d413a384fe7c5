"""Fitting: the same numbers in one go and in several, the best epoch kept, and numbers that explode said plainly."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from core.errors import TrainingError
from core.labels import ClassLabel
from core.types import Split, TrainMode
from workers.ml.fitting import ArrayExamples, FitOptions, Fitting
from workers.ml.keras_learner import KerasLearner
from workers.ml.learner import Learner
from workers.ml.linear_learner import LinearLearner

NUM_FEATURES, NUM_CLASSES = 6, 3
LABELS = tuple(ClassLabel(str(index), str(index)) for index in range(NUM_CLASSES))


def options(**changes: object) -> FitOptions:
    fields = {
        "stage": TrainMode.SCRATCH,
        "num_epochs": 6,
        "patience": 0,
        "learning_rate": 0.05,
        "seed": 0,
        "class_weights": None,
        "batch_size": 8,
    }
    return FitOptions(**(fields | changes))


def examples(num_images: int, *, seed: int = 0, noise: float = 1.0) -> ArrayExamples:
    """Three clouds of points that overlap as the noise says."""
    random = np.random.default_rng(seed)
    class_indices = np.arange(num_images) % NUM_CLASSES
    centres = np.random.default_rng(99).normal(size=(NUM_CLASSES, NUM_FEATURES))
    points = centres[class_indices] + random.normal(scale=noise, size=(num_images, NUM_FEATURES))
    return ArrayExamples(points.astype(np.float32), class_indices.astype(np.int64))


def misleading(num_images: int) -> ArrayExamples:
    """Labelled so that the more is learned, the worse it gets."""
    good = examples(num_images, seed=1)
    return ArrayExamples(good.array, (good.class_indices + 1) % NUM_CLASSES)


def linear_network() -> Learner:
    """Lets through what is no number; some implementations of ReLU make zero of it."""
    inputs = keras.Input((NUM_FEATURES,))
    return KerasLearner(keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(inputs)))


def head() -> Learner:
    """What a head is fitted by; needs no Keras."""
    return LinearLearner(examples(40).array, NUM_CLASSES)


def network() -> Learner:
    """With everything that has a state: batch normalisation and dropout."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((NUM_FEATURES,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(8, activation="relu")(inputs))
    hidden = keras.layers.Dropout(0.3, seed=5)(hidden)
    return KerasLearner(keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(hidden)))


both_kinds = pytest.mark.parametrize("build", [network, head])


def fit(
    learner: Learner,
    fit_options: FitOptions,
    *,
    val: ArrayExamples | None = None,
    on_batch: Callable[[], None] = lambda: None,
):
    fitting = Fitting(learner, fit_options)
    epochs = list(fitting.run(examples(40), val, on_batch=on_batch))
    return fitting, epochs


def without_times(epochs):
    return [(m.number, m.split, m.loss, m.accuracy, m.learning_rate) for epoch in epochs for m in epoch]


@both_kinds
def test_the_same_seed_gives_the_same_weights_bit_by_bit_and_another_seed_others(build: Callable[[], Learner]):
    weights = {}
    for run, seed in (("first", 0), ("second", 0), ("other", 1)):
        fitting, _ = fit(build(), options(seed=seed), val=examples(12, seed=1))
        weights[run] = fitting.state
    assert all(np.array_equal(weights["first"][key], weights["second"][key]) for key in weights["first"])
    assert not all(np.array_equal(weights["first"][key], weights["other"][key]) for key in weights["first"])


@both_kinds
@pytest.mark.parametrize("num_before", [1, 4])
def test_a_fitting_that_is_stopped_and_restored_ends_as_the_unbroken_one(build: Callable[[], Learner], num_before: int):
    val = examples(12, seed=1)
    unbroken, epochs = fit(build(), options(), val=val)
    first = Fitting(build(), options())
    run = first.run(examples(40), val, on_batch=lambda: None)
    seen = [next(run) for _ in range(num_before)]
    state = first.state
    second = Fitting(build(), options())
    second.restore(state)
    seen += list(second.run(examples(40), val, on_batch=lambda: None))
    assert without_times(seen) == without_times(epochs)
    assert second.best_epoch == unbroken.best_epoch
    assert all(np.array_equal(second.state[key], unbroken.state[key]) for key in unbroken.state)


@both_kinds
def test_what_is_fitted_ends_with_its_best_epoch(build: Callable[[], Learner]):
    val = misleading(30)
    learner = build()
    fitting, epochs = fit(learner, options(num_epochs=5), val=val)
    losses = {m.number: m.loss for epoch in epochs for m in epoch if m.split is Split.VAL}
    assert fitting.best_epoch == min(losses, key=lambda number: losses[number])
    assert fitting.best_epoch < 5, "the later ones are worse, or this shows nothing"
    assert learner.judge(val.array, val.class_indices).loss == pytest.approx(losses[fitting.best_epoch], rel=1e-4)


def test_losses_and_accuracies_are_of_all_images_not_of_the_last_batch():
    train, val = examples(40), examples(30, seed=1)
    learner = LinearLearner(train.array, NUM_CLASSES)
    (epoch,) = Fitting(learner, options(num_epochs=1)).run(train, val, on_batch=lambda: None)
    scores = learner.head(LABELS).logits(val.array)
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    (measured,) = (metrics for metrics in epoch if metrics.split is Split.VAL)
    expected_loss = -np.log(probabilities[np.arange(30), val.class_indices]).mean()
    assert measured.loss == pytest.approx(expected_loss, rel=1e-4)
    assert measured.accuracy == pytest.approx((scores.argmax(axis=1) == val.class_indices).mean())


def test_patience_ends_a_fitting_that_gets_no_better():
    fitting, epochs = fit(network(), options(num_epochs=200, patience=3), val=misleading(30))
    assert len(epochs) == fitting.num_epochs_done == fitting.best_epoch + 3


def test_fine_tuning_takes_nothing_for_better_that_is_less_accurate_than_its_beginning():
    train, val = examples(60, noise=0.3), examples(30, seed=1, noise=0.3)
    learner = head()
    list(Fitting(learner, options(num_epochs=30)).run(train, val, on_batch=lambda: None))
    before = learner.judge(val.array, val.class_indices).accuracy
    # Wrong labels can only make it worse.
    spoilt = ArrayExamples(train.array, (train.class_indices + 1) % NUM_CLASSES)
    fitting = Fitting(learner, options(num_epochs=5, stage=TrainMode.FINETUNE))
    list(fitting.run(spoilt, val, on_batch=lambda: None))
    assert fitting.best_epoch == 0
    assert learner.judge(val.array, val.class_indices).accuracy == before


@both_kinds
def test_fine_tuning_that_explodes_at_once_keeps_what_it_began_with(build: Callable[[], Learner]):
    train, val = examples(40), examples(12, seed=1)
    learner = build()
    list(Fitting(learner, options()).run(train, val, on_batch=lambda: None))
    before = learner.variables
    fitting = Fitting(learner, options(stage=TrainMode.FINETUNE, learning_rate=1e39))
    assert list(fitting.run(train, val, on_batch=lambda: None)) == []
    assert fitting.best_epoch == 0
    assert "epoch 1 at learning rate 1e+39" in str(fitting.stopped_because)
    assert "What it began with was kept" in str(fitting.stopped_because)
    assert all(np.array_equal(kept, was) for kept, was in zip(learner.variables, before, strict=True))


def test_fine_tuning_of_what_gives_no_number_to_begin_with_is_an_error():
    learner = linear_network()
    learner.assign([np.full_like(value, np.nan) for value in learner.variables])
    with pytest.raises(TrainingError, match="in epoch 1"):
        fit(learner, options(stage=TrainMode.FINETUNE), val=examples(12, seed=1))


def test_an_empty_validation_part_is_none_at_all():
    nothing = ArrayExamples(np.empty((0, NUM_FEATURES), np.float32), np.empty(0, np.int64))
    with_empty, epochs = fit(head(), options(num_epochs=3), val=nothing)
    assert [metrics.split for epoch in epochs for metrics in epoch] == [Split.TRAIN] * 3
    losses = {metrics.number: metrics.loss for (metrics,) in epochs}
    assert with_empty.best_epoch == min(losses, key=lambda number: losses[number])
    assert with_empty.best_epoch > 1, "an empty mean is 0, which nothing is better than"


@pytest.mark.parametrize("build", [linear_network, head])
def test_weights_that_explode_in_the_last_batch_are_not_taken_for_the_best(build: Callable[[], Learner]):
    # All images in one batch: the loss is taken before the only step, and is still a number.
    fitting = Fitting(build(), options(learning_rate=1e39, batch_size=64))
    with pytest.raises(TrainingError, match=r"epoch 1 at learning rate 1e\+39. Try --learning-rate 1e\+38"):
        list(fitting.run(examples(40), None, on_batch=lambda: None))


@pytest.mark.parametrize("build", [linear_network, head])
def test_a_loss_that_is_no_number_from_the_start_is_an_error_that_names_the_rate(build: Callable[[], Learner]):
    broken = ArrayExamples(np.full((8, NUM_FEATURES), np.inf, np.float32), np.zeros(8, np.int64))
    fitting = Fitting(build(), options(learning_rate=0.5))
    with pytest.raises(TrainingError, match=r"epoch 1 at learning rate 0\.5\. Try --learning-rate 0\.05"):
        list(fitting.run(broken, None, on_batch=lambda: None))


def test_a_loss_that_stops_being_a_number_later_keeps_the_best_epoch_before():
    class BreaksLater(ArrayExamples):
        def inputs(self, positions: np.ndarray, *, epoch: int) -> np.ndarray:
            rows = super().inputs(positions, epoch=epoch)
            return rows if epoch < 3 else np.full_like(rows, np.nan)

    good = examples(40)
    fitting = Fitting(linear_network(), options())
    epochs = list(fitting.run(BreaksLater(good.array, good.class_indices), examples(12, seed=1), on_batch=lambda: None))
    assert len(epochs) == 2
    assert "no numbers any more in epoch 3" in str(fitting.stopped_because)
    assert all(np.isfinite(value).all() for key, value in fitting.state.items() if key.startswith("variable"))


def test_class_weights_make_a_rare_class_count_as_much():
    random = np.random.default_rng(0)
    class_indices = np.array([0] * 90 + [1] * 10)
    points = random.normal(size=(100, NUM_FEATURES)) + class_indices[:, np.newaxis] * 0.8
    train = ArrayExamples(points.astype(np.float32), class_indices.astype(np.int64))
    recalls = []
    for class_weights in (None, (100 / 180, 100 / 20)):
        learner = LinearLearner(train.array, 2)
        fitting = Fitting(learner, options(num_epochs=40, class_weights=class_weights))
        list(fitting.run(train, None, on_batch=lambda: None))
        recalls.append((learner.head(LABELS[:2]).logits(train.array[90:]).argmax(axis=1) == 1).mean())
    assert recalls[1] > recalls[0] + 0.2


def test_what_on_batch_raises_ends_the_fitting():
    class TakenAwayError(Exception):
        """As when a lease is lost."""

    seen = []

    def on_batch() -> None:
        seen.append(1)
        if len(seen) == 7:
            raise TakenAwayError

    with pytest.raises(TakenAwayError):
        fit(network(), options(), on_batch=on_batch)
    assert len(seen) == 7
