"""A small world of coloured pictures, a network that sees only their mean colour, and workers that learn from them.

Everything around the network is the product's own: files, sources, jobs, heads, the ledger.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pydantic import SecretStr

from core.items import FileLocator, locator_to_text
from core.labels import ClassLabel
from core.settings import Settings
from core.training import TrainOptions
from core.types import AnnotationOrigin, Split
from db.annotations import Annotation, add_annotations
from db.database import Database
from db.workers import WorkerIdentity
from orchestrator.planning import plan
from orchestrator.submitting import LabelRequest, submit
from orchestrator.training import DatasetRequest, TrainRequest, submit_training
from workers.access import Access
from workers.images.loading import build_image_loader
from workers.ml.catalog import get_backbone
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.runtime import Runtime
from workers.trained import HeadCache
from workers.working import work

SIZE = 8
RED, GREEN = (200, 40, 40), (40, 200, 40)
# What weights do is the workers' affair where a broker is set, so nothing looks for published ones.
BROKER_URL = SecretStr("redis://127.0.0.1:1/0")
BACKBONE = "mobilenet-0.25"
NUM_FEATURES = 256


@dataclass
class ColourEngine:
    """Features are the mean red, green and blue, 0..1; the others are 0."""

    batch_size: int = 16
    num_bytes: int = 1
    turns: threading.Semaphore = field(default_factory=threading.Semaphore)
    num_images: int = 0  # that were computed
    on_batch: Callable[[], None] = lambda: None

    def features(self, images: np.ndarray) -> np.ndarray:
        self.on_batch()
        self.num_images += len(images)
        features = np.zeros((len(images), NUM_FEATURES), np.float32)
        features[:, :3] = images.reshape(len(images), -1, 3).mean(axis=1) / 255
        return features


@dataclass
class ColourWorker:
    """A worker that sees colours."""

    ledger: Database
    engine: ColourEngine = field(default_factory=ColourEngine)

    def __post_init__(self) -> None:
        labels = (ClassLabel("tench", "n01440764"), ClassLabel("goldfish", "n01443537"))
        head = Head(np.ones((NUM_FEATURES, 2), np.float32), np.zeros(2, np.float32), labels)

        def load(name: str) -> LoadedBackbone:
            return LoadedBackbone(get_backbone(name), self.engine, head)

        settings = Settings()
        self.runtime = Runtime(
            settings,
            self.ledger,
            WorkerIdentity("anna", "here", 1),
            build_image_loader(settings),
            BackboneCache(load, max_bytes=1000),
            HeadCache(self.ledger),
        )

    def work(self) -> int:
        """Do all that is owed."""
        return work(self.runtime)


def settings_for_submitting() -> Settings:
    return Settings(broker_url=BROKER_URL)


def paint(path: Path, colour_rgb: Sequence[float], *, seed: int) -> Path:
    """A picture of about this colour; another seed makes another file."""
    noise = np.random.default_rng(seed).integers(-3, 4, (SIZE, SIZE, 3))
    picture = np.clip(np.asarray(colour_rgb) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[..., ::-1])
    return path


def paint_red_and_green(folder: Path, *, num_train: int, num_val: int) -> Path:
    """A dataset of two classes that anyone can tell apart, divided already."""
    for part, number in (("train", num_train), ("val", num_val)):
        for name, colour in (("green", GREEN), ("red", RED)):
            for one in range(number):
                seed = one + 100 * (part == "val") + 200 * (name == "red")
                paint(folder / part / name / f"{one}.png", colour, seed=seed)
    return folder


def train(ledger: Database, worker: ColourWorker, folder: Path, name: str, **options: object) -> int:
    """Train a model by hand; returns its job."""
    request = TrainRequest(
        DatasetRequest(str(folder)), name, TrainOptions(backbone=BACKBONE, classes=(), **{"num_epochs": 60, **options})
    )
    job_id = submit_training(ledger, settings_for_submitting(), request).job_id
    assert worker.work() == 1
    return job_id


def label(worker: ColourWorker, *sources: Path) -> int:
    """Label images with the champion of `colours`; returns the job."""
    settings = settings_for_submitting()
    job_id = submit(worker.ledger, settings, LabelRequest([str(source) for source in sources], ["colours"])).job_id
    plan(worker.ledger, job_id, Access.of(settings))
    worker.work()
    return job_id


def content(picture: Path) -> str:
    """What labels know a picture by."""
    return hashlib.sha256(picture.read_bytes()).hexdigest()


def say(
    ledger: Database, pictures: Sequence[Path], label: str, *, at_s: float = 1.0, split: Split | None = None
) -> None:
    """Ada tells the model `colours` what pictures show."""
    said = [
        Annotation(
            content(picture),
            label,
            "ada",
            AnnotationOrigin.ADDED,
            picture.name,
            locator_to_text(FileLocator(str(picture))),
            at_s,
            split=split,
        )
        for picture in pictures
    ]
    with ledger.write() as session:
        add_annotations(session, "colours", said)
