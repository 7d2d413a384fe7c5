"""Transfer learning as the teaching notebook does it, or as we do: the same network, images and number of epochs.

The notebook freezes VGG16, replaces its last layer by a softmax of five units on fc2, and calls `fit` for ten epochs:
each of them sends every image through the whole frozen network. Ours does that once, and trains the new layer on what
comes out.

VGG16 has random weights in both; how long it takes does not depend on what they are. Images are in memory, so that
reading them is no part of it. The start-up is everything but the images' way through the network and ten epochs at the
pace of the last nine: imports, building or loading the network, and what compiling adds to the first epoch.

    python -m benchmarks.sides.head_fit notebook|warm|cold
"""

import os
import sys
import tempfile
from time import perf_counter

from benchmarks.measurement import Measurement, print_measurements
from benchmarks.sides.engine import compute

BACKBONE = "vgg16"
NUM_IMAGES, NUM_CLASSES, NUM_EPOCHS = 65, 5, 10


def run_notebook() -> float:
    """Freeze the network, `fit` what is left."""
    import keras  # noqa: PLC0415 - its import is part of the start-up
    import numpy as np  # noqa: PLC0415

    images, class_indices = _data()
    network = keras.applications.VGG16(weights=None)
    for layer in network.layers:
        layer.trainable = False
    outputs = keras.layers.Dense(NUM_CLASSES, activation="softmax")(network.get_layer("fc2").output)
    model = keras.Model(network.input, outputs)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    inputs = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    ends_s = [perf_counter()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends_s.append(perf_counter()))
    targets = keras.utils.to_categorical(class_indices, NUM_CLASSES)
    model.fit(inputs, targets, epochs=NUM_EPOCHS, callbacks=[clock], verbose=0)
    return _steady(ends_s)


def run_labelyard() -> float:
    """Compute features once, train a head on them."""
    from core.settings import Settings  # noqa: PLC0415 - imports are part of the start-up
    from core.types import TrainMode  # noqa: PLC0415
    from workers.ml.catalog import get_backbone  # noqa: PLC0415
    from workers.ml.fitting import ArrayExamples, FitOptions, Fitting  # noqa: PLC0415
    from workers.ml.linear_learner import LinearLearner  # noqa: PLC0415
    from workers.ml.loading import load_engine  # noqa: PLC0415
    from workers.ml.networks import NetworkRecipe  # noqa: PLC0415
    from workers.ml.trainable import DEFAULT_LEARNING_RATES  # noqa: PLC0415

    images, class_indices = _data()
    engine, _ = load_engine(NetworkRecipe(get_backbone(BACKBONE), is_published=False), Settings())
    engine.features(images[: engine.batch_size])
    features, features_s = compute(engine, images)
    options = FitOptions(TrainMode.HEAD, NUM_EPOCHS, 0, DEFAULT_LEARNING_RATES[TrainMode.HEAD], 0, None, 32)
    fitting = Fitting(LinearLearner(features, NUM_CLASSES), options)
    ends_s = [perf_counter()]
    for _ in fitting.run(ArrayExamples(features, class_indices), None, on_batch=lambda: None):
        _ = fitting.state  # what a checkpoint would hold
        ends_s.append(perf_counter())
    return features_s + _steady(ends_s)


def main(side: str) -> None:
    """Run one side and print what it took."""
    started_at_s = perf_counter()
    with tempfile.TemporaryDirectory(prefix="labelyard-bench-") as home:
        if side == "cold":
            os.environ["LABELYARD_HOME"] = home
        seconds = run_notebook() if side == "notebook" else run_labelyard()
    wall_s = perf_counter() - started_at_s
    print_measurements({f"head_{side}": Measurement(1, seconds, wall_s - seconds, wall_s)})


def _steady(ends_s: list[float]) -> float:
    """All epochs at the pace of those behind the first, which compiles."""
    return (ends_s[-1] - ends_s[1]) / (NUM_EPOCHS - 1) * NUM_EPOCHS


def _data():  # type: ignore[no-untyped-def]  # noqa: ANN202 - two arrays
    import numpy as np  # noqa: PLC0415

    random = np.random.default_rng(0)
    return random.integers(0, 256, (NUM_IMAGES, 224, 224, 3), np.uint8), np.arange(NUM_IMAGES) % NUM_CLASSES


if __name__ == "__main__":
    main(sys.argv[1])
