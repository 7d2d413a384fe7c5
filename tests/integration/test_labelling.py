"""The labelling step on a real ledger, with a counting decoder and engine in place of the heavy ones."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from ledger_steps import plan
from sqlalchemy import func, select

from core.errors import InputError, WeightsError
from core.items import FileLocator, Locator
from core.jobs import JobRequest, LabelOptions
from core.labels import ClassLabel
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import Reason
from db.database import Database
from db.ledger import accepting
from db.ledger.progress import progress
from db.models import ensure_model
from db.results import labelled_images
from db.tables import ResultTable
from db.workers import WorkerIdentity, live_workers, reason_to_wait
from workers.labelling import work_once
from workers.local import run_until_idle
from workers.ml.catalog import BACKBONES
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.runtime import Runtime

BAD_IMAGE = "/3.jpg"


@dataclass
class CountingImages:
    """Makes a grey picture of each file, and remembers which were asked for."""

    asked: list[str] = field(default_factory=list)

    def prepare(
        self, locator: Locator, contracts: Iterable[PreprocessingContract]
    ) -> dict[PreprocessingContract, np.ndarray]:
        assert isinstance(locator, FileLocator)
        self.asked.append(locator.uri)
        if locator.uri == BAD_IMAGE:
            raise InputError(Reason.TRUNCATED, "cut off")
        return {contract: np.full((*contract.size_hw, 3), 128, np.uint8) for contract in contracts}

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class CountingEngine:
    """Gives constant features, and remembers how many images it was given."""

    batch_size: int = 4
    num_bytes: int = 1
    num_images: int = 0

    def features(self, images: np.ndarray) -> np.ndarray:
        self.num_images += len(images)
        return np.ones((len(images), 2), np.float32)


def loaded(name: str, engine: CountingEngine) -> LoadedBackbone:
    labels = (ClassLabel("ant", "n1"), ClassLabel("bee", "n2"))
    head = Head(np.array([[0, 1], [0, 1]], np.float32), np.zeros(2, np.float32), labels)
    return LoadedBackbone(BACKBONES[name], engine, head)


def job_for(ledger: Database, *models: str, num_images: int) -> int:
    with ledger.write() as session:
        ids = [ensure_model(session, name=name, version=1, backbone=name.partition("/")[0]) for name in models]
        request = JobRequest("test", tuple(ids), [{"text": "x"}], "hash", LabelOptions(top_k=1, chunk_size=4))
        job_id = accepting.accept(session, request)
    plan(ledger, job_id, num_images)
    return job_id


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def images() -> CountingImages:
    return CountingImages()


@pytest.fixture
def runtime(ledger: Database, engine: CountingEngine, images: CountingImages) -> Runtime:
    cache = BackboneCache(lambda name: loaded(name, engine), max_bytes=1000)
    return Runtime(Settings(), ledger, WorkerIdentity("anna", "here", 1), images, cache)


def test_two_models_on_one_backbone_cost_one_reading_and_one_pass(
    ledger: Database, runtime: Runtime, engine: CountingEngine, images: CountingImages
):
    job_id = job_for(ledger, "mobilenet", "mobilenet/another-head", num_images=10)
    assert run_until_idle(runtime) == 3
    assert sorted(images.asked) == sorted(f"/{number}.jpg" for number in range(10))
    assert engine.num_images == 9
    assert runtime.backbones.loads == {"mobilenet": 1}
    with ledger.read() as session:
        assert session.scalars(select(func.count()).where(ResultTable.job_id == job_id)).one() == 20
        so_far = progress(session, job_id)
    assert (so_far.num_predictions, so_far.num_errors) == (9, 1), "images are counted, not rows"


def test_a_bad_image_is_an_error_row_for_each_model_and_its_neighbours_keep_their_labels(
    ledger: Database, runtime: Runtime
):
    job_id = job_for(ledger, "mobilenet", "mobilenet/another-head", num_images=6)
    run_until_idle(runtime)
    with ledger.read() as session:
        model_ids = set(session.scalars(select(ResultTable.model_id)).all())
        for model_id in model_ids:
            found = {image.name: image for image in labelled_images(session, job_id, model_id)}
            assert found.pop("3.jpg").reason is Reason.TRUNCATED
            assert {image.class_index for image in found.values()} == {1}
    assert len(model_ids) == 2


def test_a_worker_that_cannot_load_a_backbone_gives_the_chunk_back_and_says_why(ledger: Database, runtime: Runtime):
    def fail(name: str) -> LoadedBackbone:
        raise WeightsError(f"{name} is nowhere to be had")

    runtime.backbones = BackboneCache(fail, max_bytes=1)
    job_id = job_for(ledger, "mobilenet", num_images=2)
    assert work_once(runtime) is None
    with ledger.read() as session:
        workers = live_workers(session, job_id)
        assert reason_to_wait(workers, ["mobilenet"]) == "mobilenet is nowhere to be had"
        assert reason_to_wait(workers, ["vgg16"]) is None
    assert work_once(runtime) is None, "it does not ask for such work again"
