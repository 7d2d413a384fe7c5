"""Transfer learning as the teaching notebook does it, against ours: the same network, images and number of epochs.

The notebook freezes VGG16, replaces its last layer by a softmax of five units on fc2, and calls `fit` for ten epochs:
each of them sends every image through the whole frozen network. Ours does that once, and trains the new layer on what
comes out.

VGG16 has random weights in both; how long it takes does not depend on what they are. Images are in memory, so that
reading them is no part of it; importing TensorFlow is none either; building the networks is.

    python benchmarks/notebook_fit.py [--json] [--rounds N]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

BACKBONE = "vgg16"
NUM_IMAGES, NUM_CLASSES, NUM_EPOCHS = 65, 5, 10
SIDES = ("labelyard", "notebook")


def main() -> None:
    """Run both sides in turns and print what they took."""
    parser = argparse.ArgumentParser(description="Training a head: the notebook's way against Labelyard's.")
    parser.add_argument("--rounds", type=int, default=1, help="how often each side runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--side", choices=SIDES, help="run this side alone, in this process")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(_RUN[arguments.side]()))
        return
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(arguments.rounds):
        for side in SIDES:
            seconds[side].append(_run_in_process(side))
    report(seconds, as_json=arguments.json)


def report(seconds: dict[str, list[float]], *, as_json: bool) -> None:
    """Print medians and their ratio."""
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    ratio = medians["notebook"] / medians["labelyard"]
    if as_json:
        print(json.dumps({"seconds": seconds, "medians": medians, "ratio": ratio}))
        return
    print(f"{BACKBONE}, {NUM_IMAGES} images of 224 x 224, {NUM_CLASSES} classes, {NUM_EPOCHS} epochs")
    print(f"  notebook: fit of the frozen network   {medians['notebook']:7.1f} s")
    print(f"  labelyard: features once, then a head {medians['labelyard']:7.1f} s")
    print(f"  ratio                                 {ratio:7.1f}")


def _run_in_process(side: str) -> float:
    child = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, "--side", side],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return float(json.loads(child.stdout.splitlines()[-1]))


def _run_notebook() -> float:
    import keras  # noqa: PLC0415 - its import is not measured
    import numpy as np  # noqa: PLC0415

    images, class_indices = _data()
    started_at_s = time.perf_counter()
    network = keras.applications.VGG16(weights=None)
    for layer in network.layers:
        layer.trainable = False
    outputs = keras.layers.Dense(NUM_CLASSES, activation="softmax")(network.get_layer("fc2").output)
    model = keras.Model(network.input, outputs)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    inputs = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    model.fit(inputs, keras.utils.to_categorical(class_indices, NUM_CLASSES), epochs=NUM_EPOCHS, verbose=0)
    return time.perf_counter() - started_at_s


def _run_labelyard() -> float:
    import keras  # noqa: F401, PLC0415 - its import is not measured

    from core.settings import Settings  # noqa: PLC0415
    from core.types import TrainMode  # noqa: PLC0415
    from workers.ml.catalog import get_backbone  # noqa: PLC0415
    from workers.ml.fitting import ArrayExamples, FitOptions, Fitting  # noqa: PLC0415
    from workers.ml.loading import load_engine  # noqa: PLC0415
    from workers.ml.networks import NetworkRecipe  # noqa: PLC0415
    from workers.ml.trainable import DEFAULT_LEARNING_RATES, build_head_model  # noqa: PLC0415

    images, class_indices = _data()
    started_at_s = time.perf_counter()
    engine, _ = load_engine(NetworkRecipe(get_backbone(BACKBONE), is_published=False), Settings())
    features = engine.features(images)
    options = FitOptions(TrainMode.HEAD, NUM_EPOCHS, 0, DEFAULT_LEARNING_RATES[TrainMode.HEAD], 0, None, 32)
    fitting = Fitting(build_head_model(features, NUM_CLASSES), options)
    for _ in fitting.run(ArrayExamples(features, class_indices), None, on_batch=lambda: None):
        _ = fitting.state  # what a checkpoint would hold
    return time.perf_counter() - started_at_s


def _data():  # type: ignore[no-untyped-def]  # noqa: ANN202 - two arrays
    import numpy as np  # noqa: PLC0415 - for the children alone

    random = np.random.default_rng(0)
    return random.integers(0, 256, (NUM_IMAGES, 224, 224, 3), np.uint8), np.arange(NUM_IMAGES) % NUM_CLASSES


_RUN = {"notebook": _run_notebook, "labelyard": _run_labelyard}

if __name__ == "__main__":
    main()
