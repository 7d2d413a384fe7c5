"""The labelling step on a real ledger, with a counting decoder and engine in place of the heavy ones."""

import threading
from collections.abc import Mapping
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
from core.types import ArtifactKind, JobState, Reason, ResizeMode, TrainMode
from db.artifacts import complete_artifacts, write_artifact
from db.database import Database
from db.ledger import accepting, control
from db.ledger.progress import progress
from db.models import NewModel, add_version, ensure_model
from db.results import labelled_images
from db.tables import ResultTable
from db.workers import WorkerIdentity, live_workers, reason_to_wait
from workers.images.loading import Images
from workers.ml.catalog import BACKBONES
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone
from workers.ml.tensors import to_bytes
from workers.runtime import Runtime
from workers.trained import HeadCache, head_tensors
from workers.working import work

BAD_IMAGE = "/3.jpg"


@dataclass
class CountingImages(Images):
    """Makes a grey picture of each file, and remembers which were asked for."""

    asked: list[str] = field(default_factory=list)

    def read(self, locator: Locator) -> bytes:
        assert isinstance(locator, FileLocator)
        self.asked.append(locator.uri)
        return locator.uri.encode()

    def fill(self, data: bytes, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        if data.decode() == BAD_IMAGE:
            raise InputError(Reason.TRUNCATED, "cut off")
        for slot in slots.values():
            slot[...] = 128

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class CountingEngine:
    """Gives constant features, and remembers how many images it was given."""

    batch_size: int = 4
    num_bytes: int = 1
    turns: threading.Semaphore = field(default_factory=threading.Semaphore)
    num_images: int = 0
    num_features: int = 2

    def features(self, images: np.ndarray) -> np.ndarray:
        self.num_images += len(images)
        return np.ones((len(images), self.num_features), np.float32)


def head_for(num_features: int, *labels: ClassLabel) -> Head:
    """A head that is sure of its last class."""
    weights = np.zeros((num_features, len(labels)), np.float32)
    weights[:, -1] = 1
    return Head(weights, np.zeros(len(labels), np.float32), labels)


def loaded(name: str, engine: CountingEngine) -> LoadedBackbone:
    head = head_for(engine.num_features, ClassLabel("ant", "n1"), ClassLabel("bee", "n2"))
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
    return Runtime(Settings(), ledger, WorkerIdentity("anna", "here", 1), images, cache, HeadCache(ledger))


def test_two_models_on_one_backbone_cost_one_reading_and_one_pass(
    ledger: Database, runtime: Runtime, engine: CountingEngine, images: CountingImages
):
    job_id = job_for(ledger, "mobilenet", "mobilenet/another-head", num_images=10)
    assert work(runtime) == 3
    assert sorted(images.asked) == sorted(f"/{number}.jpg" for number in range(10))
    assert engine.num_images == 10, "the slot of the bad one goes through with its batch"
    assert runtime.backbones.loads == {"mobilenet": 1}
    with ledger.read() as session:
        assert session.scalars(select(func.count()).where(ResultTable.job_id == job_id)).one() == 20
        so_far = progress(session, job_id)
    assert (so_far.num_predictions, so_far.num_errors) == (9, 1), "images are counted, not rows"


def test_a_bad_image_is_an_error_row_for_each_model_and_its_neighbours_keep_their_labels(
    ledger: Database, runtime: Runtime
):
    job_id = job_for(ledger, "mobilenet", "mobilenet/another-head", num_images=6)
    work(runtime)
    with ledger.read() as session:
        model_ids = set(session.scalars(select(ResultTable.model_id)).all())
        for model_id in model_ids:
            found = {image.name: image for image in labelled_images(session, job_id, model_id)}
            assert found.pop("3.jpg").reason is Reason.TRUNCATED
            assert {image.class_index for image in found.values()} == {1}
    assert len(model_ids) == 2


def test_a_trained_head_is_read_from_the_database_and_shares_the_pass_of_its_backbone(
    ledger: Database, runtime: Runtime, engine: CountingEngine
):
    engine.num_features = BACKBONES["mobilenet"].feature_size
    labels = (ClassLabel("Hat", "0"), ClassLabel("Cube", "1"), ClassLabel("Card", "2"))
    with ledger.write() as session:
        new = NewModel("parts", "mobilenet", TrainMode.HEAD, ResizeMode.CROP, labels)
        model_id = add_version(session, new).id
    head = to_bytes(head_tensors(head_for(engine.num_features, *labels)), {})
    artifact_id = write_artifact(ledger, model_id, ArtifactKind.HEAD, head)
    with ledger.write() as session:
        complete_artifacts(session, model_id, [artifact_id])
        published_id = ensure_model(session, name="imagenet:mobilenet", version=1, backbone="mobilenet")
        request = JobRequest("test", (published_id, model_id), [{"text": "x"}], "hash", LabelOptions(chunk_size=4))
        job_id = accepting.accept(session, request)
    plan(ledger, job_id, 3)
    work(runtime)
    assert engine.num_images == 3
    with ledger.read() as session:
        found = {
            one_id: {image.class_index for image in labelled_images(session, job_id, one_id)}
            for one_id in (published_id, model_id)
        }
    assert found == {published_id: {1}, model_id: {2}}


def test_a_model_whose_head_is_damaged_fails_the_job_and_names_it(ledger: Database, runtime: Runtime):
    labels = (ClassLabel("Hat", "0"), ClassLabel("Cube", "1"))
    with ledger.write() as session:
        model_id = add_version(session, NewModel("parts", "mobilenet", TrainMode.HEAD, ResizeMode.CROP, labels)).id
    wrong = to_bytes({"weights": np.zeros((7, 2), np.float32), "bias": np.zeros(2, np.float32)}, {})
    artifact_id = write_artifact(ledger, model_id, ArtifactKind.HEAD, wrong)
    with ledger.write() as session:
        complete_artifacts(session, model_id, [artifact_id])
        request = JobRequest("test", (model_id,), [{"text": "x"}], "hash", LabelOptions(chunk_size=4))
        job_id = accepting.accept(session, request)
    plan(ledger, job_id, 3)
    work(runtime)
    with ledger.read() as session:
        job = control.get_job(session, job_id)
        assert job.state is JobState.FAILED
        assert "The head of parts@1" in str(job.error)
        assert "(1024, 2)" in str(job.error)


def test_a_worker_that_cannot_load_a_backbone_gives_the_chunk_back_and_says_why(ledger: Database, runtime: Runtime):
    def fail(name: str) -> LoadedBackbone:
        raise WeightsError(f"{name} is nowhere to be had")

    runtime.backbones = BackboneCache(fail, max_bytes=1)
    job_id = job_for(ledger, "mobilenet", num_images=2)
    assert work(runtime) == 0
    with ledger.read() as session:
        workers = live_workers(session, job_id)
        assert reason_to_wait(workers, ["mobilenet"]) == "mobilenet is nowhere to be had"
        assert reason_to_wait(workers, ["vgg16"]) is None
    assert work(runtime) == 0, "it does not ask for such work again"
