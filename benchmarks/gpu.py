"""The same pipeline on one GPU, with any backend of Keras: what each part does in a second, alone and together.

Needs numpy, opencv, Keras with a backend, and this repository; no database, no broker, no weights, no photographs:
networks have seeded random weights and pictures are drawn. How long it takes does not depend on what they show.

    KERAS_BACKEND=tensorflow|jax|torch python benchmarks/gpu.py [--json]

- engine: pictures in memory to features in memory, in each precision;
- decoding: JPEGs in memory to pixels of the network's size, in threads;
- pipeline: both, in the precision that Labelyard takes here;
- training: pictures learned from in a second, of a head on features and of a whole network.

Without an accelerator it measures the processor, in full precision alone, and says so.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # it runs from a checkout that is not installed

from core.preprocessing import PreprocessingContract
from core.types import TrainMode
from workers.features.pipeline import FeaturePipeline
from workers.features.threads import WorkerThreads
from workers.features.values import Extractor, Lane, Opened, Slots
from workers.ml.backbones import Backbone, build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.decoding import Decoder
from workers.ml.engines import keras_engine
from workers.ml.engines.interface import Precision
from workers.ml.engines.keras_engine import KerasEngine
from workers.ml.engines.machine import card_names, processor_name
from workers.ml.engines.measuring import ACCELERATOR_SIZES, fastest_batch_size
from workers.ml.fitting import FitOptions, Fitting
from workers.ml.keras_learner import KerasLearner
from workers.ml.learner import Learner
from workers.ml.limits import ImageLimits
from workers.ml.linear_learner import LinearLearner
from workers.ml.resizing import prepare
from workers.ml.trainable import build_network_model

PICTURE_HW = (375, 500)  # what most of ImageNet's photographs measure
NUM_PICTURES = 64
PRECISIONS = (Precision.FLOAT32, Precision.FLOAT16, Precision.BFLOAT16)
NUM_CLASSES = 5
TRAINING_BATCH_SIZE = 32  # as Labelyard trains
NUM_WARM_UP_STEPS = 3
Figures = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Labelyard's parts on one GPU, in images/s.")
    parser.add_argument("--models", nargs="+", default=["mobilenet", "resnet50", "vgg16"], help="networks to run")
    parser.add_argument("--train", default="vgg16", help="the network to train")
    parser.add_argument("--batch", type=int, help="images per forward pass; else the fastest is found")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each part is measured")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure(arguments)
    print(json.dumps(figures) if arguments.json else describe(figures))


def measure(arguments: argparse.Namespace) -> Figures:
    """Measure every part."""
    pictures = Pictures()
    threads = WorkerThreads(num_decoding=os.cpu_count() or 1)
    is_accelerated = keras_engine.has_accelerator()  # before anything is built, for it says how memory is taken
    figures = describe_machine(is_accelerated=is_accelerated) | {"networks": {}}
    for name in arguments.models:
        backbone = build(name)
        found: Figures = {"engine": {}}
        chosen = keras_engine.fastest_precision()
        for precision in PRECISIONS if is_accelerated else PRECISIONS[:1]:
            engine = start(backbone, precision, arguments.batch)
            found["engine"][str(precision)] = measure_engine(engine, backbone, arguments.seconds)
            if precision is chosen:
                rates = measure_pipeline(threads, pictures, engine, backbone, arguments.seconds)
                found |= {"precision": str(chosen)} | rates
        figures["networks"][name] = found
    figures["training"] = {"network": arguments.train} | measure_training(arguments.train, arguments.seconds)
    threads.close()
    return figures


def describe_machine(*, is_accelerated: bool) -> Figures:
    """What is measured on, and when."""
    import keras  # noqa: PLC0415 - its backend is asked for with the first network

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": ", ".join((card_names() or keras_engine.device_names()) if is_accelerated else [processor_name()]),
        "is_accelerated": is_accelerated,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "num_processors": os.cpu_count(),
    }


def build(name: str) -> Backbone:
    """A network with random weights through which numbers keep their size, as through a trained one."""
    backbone = build_backbone(get_backbone(name), weights=None, seed=0)
    noise = np.random.default_rng(0).integers(0, 256, (16, *backbone.spec.size_hw, 3), np.uint8)
    for layer in backbone.network.layers:
        if hasattr(layer, "moving_variance"):
            layer.momentum = 0.0
    # Takes over the statistics of noise; fresh ones let numbers shrink from layer to layer, to nothing in 16 bits.
    backbone.network(backbone.preprocess(noise), training=True)
    return backbone


def start(backbone: Backbone, precision: Precision, batch_size: int | None) -> KerasEngine:
    """An engine, compiled."""
    engine = KerasEngine(backbone, batch_size=batch_size or 1, precision=precision)
    if batch_size is None:
        engine.batch_size = fastest_batch_size(engine, backbone.spec, limit=ACCELERATOR_SIZES[-1])
    engine.warm_up()
    return engine


def measure_engine(engine: KerasEngine, backbone: Backbone, seconds: float) -> Figures:
    """Features of noise that is in memory."""
    images = np.random.default_rng(1).integers(0, 256, (engine.batch_size, *backbone.spec.size_hw, 3), np.uint8)
    rate = per_second(lambda: len(engine.features(images)), seconds)
    # Both may have changed on the way: where memory ran out, or where 16 bits were too few.
    return {"images_per_s": rate, "batch_size": engine.batch_size, "precision": str(engine.precision)}


def measure_pipeline(
    threads: WorkerThreads, pictures: "Pictures", engine: KerasEngine, backbone: Backbone, seconds: float
) -> Figures:
    """Decoding alone, then decoding and the engine at once."""
    contract = PreprocessingContract(backbone.spec.size_hw)
    rates = {}
    extractors = (Extractor(backbone.spec.name, lambda: engine),)
    for part, lane in {"decoding": Lane(contract, ()), "pipeline": Lane(contract, extractors)}.items():
        pipeline = FeaturePipeline(threads, [lane], pictures, None)
        with closing(pipeline.run(cycle(range(NUM_PICTURES)))) as parts:
            next(parts)  # until then the threads start
            rates[f"{part}_images_per_s"] = per_second(lambda parts=parts: len(next(parts).items), seconds)
    return rates


class Pictures:
    """JPEGs in memory, as a source of the pipeline; an item is a picture's number."""

    def __init__(self) -> None:
        import cv2  # noqa: PLC0415 - as everywhere here

        self._decoder = Decoder(ImageLimits(max_bytes=2**26, max_pixels=10**8))
        random = np.random.default_rng(2)
        self._files = []
        for _ in range(NUM_PICTURES):
            coarse = random.integers(0, 256, (12, 16, 3), np.uint8)
            picture = cv2.resize(coarse, PICTURE_HW[::-1], interpolation=cv2.INTER_CUBIC)
            grain = random.integers(0, 24, picture.shape, np.uint8)
            self._files.append(cv2.imencode(".jpg", cv2.add(picture, grain))[1].tobytes())

    def open(self, item: int) -> Opened:
        """A picture's file."""
        return Opened(None, self._files[item])

    def fill(self, item: int, data: bytes | np.ndarray | None, slots: Slots) -> None:
        """Decode a picture into its slots."""
        image_rgb = self._decoder.decode(self._files[item] if data is None else data)
        for contract, slot in slots.items():
            slot[:] = prepare(image_rgb, contract)


def measure_training(name: str, seconds: float) -> Figures:
    """Steps of a head on features, and of a whole network."""
    backbone = build_backbone(get_backbone(name), weights=None, seed=0)
    random = np.random.default_rng(3)
    features = random.normal(size=(1024, backbone.spec.feature_size)).astype(np.float32)
    images = random.integers(0, 256, (4 * TRAINING_BATCH_SIZE, *backbone.spec.size_hw, 3), np.uint8)
    whole = build_network_model(
        backbone, NUM_CLASSES, head=None, trainable=backbone.network.layers, batch_norm_frozen=True
    )
    return {
        "head_images_per_s": measure_steps(LinearLearner(features, NUM_CLASSES), features, seconds),
        "finetune_images_per_s": measure_steps(KerasLearner(whole), images, seconds),
    }


def measure_steps(learner: Learner, inputs: np.ndarray, seconds: float) -> float:
    """Images learned from in a second, once all is compiled."""
    options = FitOptions(TrainMode.HEAD, 1_000_000, 0, 1e-5, 0, None, TRAINING_BATCH_SIZE)
    times_s: list[float] = []

    def count() -> None:
        times_s.append(time.perf_counter())
        if len(times_s) > NUM_WARM_UP_STEPS and times_s[-1] - times_s[NUM_WARM_UP_STEPS - 1] > seconds:
            raise EnoughError

    with suppress(EnoughError):
        for _ in Fitting(learner, options).run(Endless(inputs), None, on_batch=count):
            pass
    num_steps = len(times_s) - NUM_WARM_UP_STEPS
    return num_steps * TRAINING_BATCH_SIZE / (times_s[-1] - times_s[NUM_WARM_UP_STEPS - 1])


class EnoughError(Exception):
    """Ends a fitting."""


class Endless:
    """The same inputs again and again, so that no epoch ends while steps are timed."""

    def __init__(self, inputs: np.ndarray) -> None:
        self._inputs = inputs
        self.class_indices = np.arange(len(self)) % NUM_CLASSES

    def __len__(self) -> int:
        """More than anybody waits for."""
        return 1_000_000

    def inputs(self, positions: np.ndarray, *, epoch: int) -> np.ndarray:
        """Some of them."""
        del epoch
        rows: np.ndarray = self._inputs[positions % len(self._inputs)]
        return rows


def per_second(work: Callable[[], int], seconds: float) -> float:
    """How much is done in a second."""
    done, started_at_s = 0, time.perf_counter()
    while time.perf_counter() - started_at_s < seconds:
        done += work()
    return done / (time.perf_counter() - started_at_s)


def describe(figures: Figures) -> str:
    """The figures for people."""
    machine = f"{figures['device']}, {figures['num_processors']} processors"
    lines = [f"{figures['date']}: {machine}, Keras {figures['keras']} on {figures['backend']}; images/s"]
    if not figures["is_accelerated"]:
        lines.append("There is no accelerator here: these are figures of the processor, in full precision alone.")
    for name, found in figures["networks"].items():
        engine = ", ".join(
            f"{precision} {rate['images_per_s']:,.0f} (batches of {rate['batch_size']}"
            + (")" if rate["precision"] == precision else f", gone back to {rate['precision']})")
            for precision, rate in found["engine"].items()
        )
        lines.append(
            f"{name}: engine {engine}; decoding {found['decoding_images_per_s']:,.0f}; "
            f"pipeline in {found['precision']} {found['pipeline_images_per_s']:,.0f}"
        )
    training = figures["training"]
    lines.append(
        f"training {training['network']}: head {training['head_images_per_s']:,.0f}, "
        f"all layers {training['finetune_images_per_s']:,.1f}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
