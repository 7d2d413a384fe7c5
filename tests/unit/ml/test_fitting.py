"""Fitting: the same numbers in one go and in several, the best epoch kept, and numbers that explode said plainly."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from core.errors import TrainingError
from core.types import Split, TrainMode
from workers.ml.fitting import ArrayExamples, FitOptions, Fitting
from workers.ml.trainable import build_head_model

NUM_FEATURES, NUM_CLASSES = 6, 3


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


def linear_network() -> keras.Model:
    """Lets through what is no number; some implementations of ReLU make zero of it."""
    inputs = keras.Input((NUM_FEATURES,))
    return keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(inputs))


def network() -> keras.Model:
    """With everything that has a state: batch normalisation and dropout."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((NUM_FEATURES,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(8, activation="relu")(inputs))
    hidden = keras.layers.Dropout(0.3, seed=5)(hidden)
    return keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(hidden))


def fit(
    model: keras.Model,
    fit_options: FitOptions,
    *,
    val: ArrayExamples | None = None,
    on_batch: Callable[[], None] = lambda: None,
):
    fitting = Fitting(model, fit_options)
    epochs = list(fitting.run(examples(40), val, on_batch=on_batch))
    return fitting, epochs


def without_times(epochs):
    return [(m.number, m.split, m.loss, m.accuracy, m.learning_rate) for epoch in epochs for m in epoch]


def test_the_same_seed_gives_the_same_weights_bit_by_bit_and_another_seed_others():
    weights = {}
    for run, seed in (("first", 0), ("second", 0), ("other", 1)):
        fitting, _ = fit(network(), options(seed=seed), val=examples(12, seed=1))
        weights[run] = fitting.state
    assert all(np.array_equal(weights["first"][key], weights["second"][key]) for key in weights["first"])
    assert not all(np.array_equal(weights["first"][key], weights["other"][key]) for key in weights["first"])


@pytest.mark.parametrize("num_before", [1, 4])
def test_a_fitting_that_is_stopped_and_restored_ends_as_the_unbroken_one(num_before: int):
    val = examples(12, seed=1)
    unbroken, epochs = fit(network(), options(), val=val)
    first = Fitting(network(), options())
    run = first.run(examples(40), val, on_batch=lambda: None)
    seen = [next(run) for _ in range(num_before)]
    state = first.state
    second = Fitting(network(), options())
    second.restore(state)
    seen += list(second.run(examples(40), val, on_batch=lambda: None))
    assert without_times(seen) == without_times(epochs)
    assert second.best_epoch == unbroken.best_epoch
    assert all(np.array_equal(second.state[key], unbroken.state[key]) for key in unbroken.state)


def test_the_model_ends_with_its_best_epoch():
    val = misleading(30)
    model = network()
    fitting, epochs = fit(model, options(num_epochs=5), val=val)
    losses = {m.number: m.loss for epoch in epochs for m in epoch if m.split is Split.VAL}
    assert fitting.best_epoch == min(losses, key=lambda number: losses[number])
    assert fitting.best_epoch < 5, "the later ones are worse, or this shows nothing"
    logs = model.test_on_batch(val.array, val.class_indices, return_dict=True)
    assert float(logs["loss"]) == pytest.approx(losses[fitting.best_epoch], rel=1e-4)


def test_losses_and_accuracies_are_of_all_images_not_of_the_last_batch():
    train, val = examples(40), examples(30, seed=1)
    model = build_head_model(train.array, NUM_CLASSES)
    fitting = Fitting(model, options(num_epochs=1))
    (epoch,) = fitting.run(train, val, on_batch=lambda: None)
    scores = np.array(model(val.array))
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
    model = build_head_model(train.array, NUM_CLASSES)
    list(Fitting(model, options(num_epochs=30)).run(train, val, on_batch=lambda: None))
    before = float(model.test_on_batch(val.array, val.class_indices, return_dict=True)["accuracy"])
    # Wrong labels can only make it worse.
    spoilt = ArrayExamples(train.array, (train.class_indices + 1) % NUM_CLASSES)
    fitting = Fitting(model, options(num_epochs=5, stage=TrainMode.FINETUNE))
    list(fitting.run(spoilt, val, on_batch=lambda: None))
    after = float(model.test_on_batch(val.array, val.class_indices, return_dict=True)["accuracy"])
    assert fitting.best_epoch == 0
    assert after == before


def test_fine_tuning_that_explodes_at_once_keeps_what_it_began_with():
    train, val = examples(40), examples(12, seed=1)
    model = build_head_model(train.array, NUM_CLASSES)
    list(Fitting(model, options()).run(train, val, on_batch=lambda: None))
    before = model.get_weights()
    fitting = Fitting(model, options(stage=TrainMode.FINETUNE, learning_rate=1e39))
    assert list(fitting.run(train, val, on_batch=lambda: None)) == []
    assert fitting.best_epoch == 0
    assert "epoch 1 at learning rate 1e+39" in str(fitting.stopped_because)
    assert "What it began with was kept" in str(fitting.stopped_because)
    assert all(np.array_equal(kept, was) for kept, was in zip(model.get_weights(), before, strict=True))


def test_fine_tuning_of_what_gives_no_number_to_begin_with_is_an_error():
    model = linear_network()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(TrainingError, match="in epoch 1"):
        fit(model, options(stage=TrainMode.FINETUNE), val=examples(12, seed=1))


def test_an_empty_validation_part_is_none_at_all():
    nothing = ArrayExamples(np.empty((0, NUM_FEATURES), np.float32), np.empty(0, np.int64))
    model = build_head_model(examples(40).array, NUM_CLASSES)
    with_empty, epochs = fit(model, options(num_epochs=3), val=nothing)
    assert [metrics.split for epoch in epochs for metrics in epoch] == [Split.TRAIN] * 3
    losses = {metrics.number: metrics.loss for (metrics,) in epochs}
    assert with_empty.best_epoch == min(losses, key=lambda number: losses[number])
    assert with_empty.best_epoch > 1, "an empty mean is 0, which nothing is better than"


def test_weights_that_explode_in_the_last_batch_are_not_taken_for_the_best():
    # All images in one batch: the loss is taken before the only step, and is still a number.
    fitting = Fitting(linear_network(), options(learning_rate=1e39, batch_size=64))
    with pytest.raises(TrainingError, match=r"epoch 1 at learning rate 1e\+39. Try --learning-rate 1e\+38"):
        list(fitting.run(examples(40), None, on_batch=lambda: None))


def test_a_loss_that_is_no_number_from_the_start_is_an_error_that_names_the_rate():
    broken = ArrayExamples(np.full((8, NUM_FEATURES), np.inf, np.float32), np.zeros(8, np.int64))
    fitting = Fitting(linear_network(), options(learning_rate=0.5))
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
        model = build_head_model(train.array, 2)
        list(
            Fitting(model, options(num_epochs=40, class_weights=class_weights)).run(train, None, on_batch=lambda: None)
        )
        recalls.append((np.array(model(train.array)).argmax(axis=1)[90:] == 1).mean())
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
