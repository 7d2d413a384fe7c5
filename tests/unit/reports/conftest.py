"""A report of a small fine-tuned model, measured for real on made-up answers."""

from dataclasses import replace

import numpy as np
import pytest

from core.labels import ClassLabel
from core.training import EpochMetrics
from core.types import Split, TrainMode
from orchestrator.reports.values import LeftOutImage, Mistake, ModelReport
from workers.ml.evaluation import Evaluation, evaluate
from workers.ml.zero_shot import zero_shot

CLASSES = ("ants", "bees", "wasps")
PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff\xe0 rest"


def measured(num_images: int, classes: tuple[str, ...], *, seed: int = 0) -> Evaluation:
    """An evaluation of answers that are right more often than not."""
    random = np.random.default_rng(seed)
    true = np.arange(num_images) % len(classes)
    logits = random.normal(size=(num_images, len(classes)))
    logits[np.arange(num_images), true] += 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best = np.argsort(-shares, axis=1)[:, :5]
    return evaluate(true, best, np.take_along_axis(shares, best, axis=1).astype(np.float32), classes)


def epoch(number: int, split: Split, loss: float, accuracy: float) -> EpochMetrics:
    stage = TrainMode.HEAD if number < 4 else TrainMode.FINETUNE
    return EpochMetrics(number, stage, split, loss, accuracy, 1e-3, 0.5)


@pytest.fixture
def epochs() -> list[EpochMetrics]:
    train = [epoch(number, Split.TRAIN, 1 / number, 1 - 0.2 / number) for number in range(1, 7)]
    val = [epoch(number, Split.VAL, 0.5 + abs(number - 5) / 20, 0.8) for number in range(1, 7)]
    return [metrics for pair in zip(train, val, strict=True) for metrics in pair]


@pytest.fixture
def report(epochs) -> ModelReport:
    labels = [ClassLabel("ant", "n02219486"), ClassLabel("bee", "n02206856"), ClassLabel("fly", "n02190166")]
    return ModelReport(
        name="insects",
        version=3,
        backbone="mobilenet-0.75",
        mode=TrainMode.FINETUNE,
        created="24 November 2026",
        num_images={"train": dict.fromkeys(CLASSES, 40), "val": dict.fromkeys(CLASSES, 10)},
        options={"learning rate": "0.001", "seed": "0"},
        num_trainable=2_307,
        num_frozen=1_832_976,
        epochs=epochs,
        best_epoch=5,
        evaluations={Split.VAL: measured(90, CLASSES), Split.TRAIN: measured(120, CLASSES, seed=1)},
        temperature=1.25,
        zero_shot=zero_shot(np.array([0, 1, 2]), np.array([[0], [1], [2]]), CLASSES, labels),
        mistakes=[
            Mistake("val/ants/unsure.jpg", "ants", "bees", 0.51, JPEG),
            Mistake("val/bees/certain.jpg", "bees", "ants", 0.99, PNG),
            Mistake("val/bees/gone.jpg", "bees", "wasps", 0.75, None),
        ],
        left_out=[LeftOutImage("train/ants/broken.jpg", "truncated", "The file ends early.")],
        notes=["Two images are duplicates."],
    )


@pytest.fixture
def bare(report) -> ModelReport:
    """What is left of a model that was brought from elsewhere: no epochs, no figures, no images."""
    return replace(
        report,
        num_images={},
        epochs=[],
        best_epoch=None,
        evaluations={},
        temperature=None,
        zero_shot=None,
        mistakes=[],
        left_out=[],
        notes=[],
    )
