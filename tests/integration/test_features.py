"""The pipeline from images to features on a real store; each image is one number, and the engine reads it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from sqlalchemy import func, select

from core.errors import InputError
from core.features import FeatureKey
from core.jobs import ImageError
from core.preprocessing import PreprocessingContract
from core.types import Reason, ResizeMode
from db.database import Database
from db.features import feature_usage, prune_features
from db.model_tables import FeatureTable
from workers.features import pipeline as pipeline_module
from workers.features import watching
from workers.features.kept import KeptFeatures
from workers.features.pipeline import FeaturePipeline
from workers.features.threads import WorkerThreads
from workers.features.values import Extractor, Lane, Opened, Part, Slots

CROP = PreprocessingContract((2, 2), ResizeMode.CROP)
PAD = PreprocessingContract((3, 3), ResizeMode.PAD)
UNREADABLE, UNDECODABLE = 13, 77


@dataclass
class NumberedImages:
    """Images 0..255, each full of its own number; later ones are sometimes ready before earlier ones."""

    filled: list[int] = field(default_factory=list)

    def open(self, number: int) -> Opened:
        if number == UNREADABLE:
            raise InputError(Reason.NOT_FOUND, "gone")
        return Opened(FeatureKey(f"{number:064}"), bytes([number]))

    def fill(self, number: int, data: bytes | np.ndarray | None, slots: Slots) -> None:
        assert data == bytes([number])
        time.sleep(0.002 * (number % 3))
        self.filled.append(number)
        for slot in slots.values():
            slot[...] = number
        if number == UNDECODABLE:
            raise InputError(Reason.CORRUPT, "damaged")


@dataclass
class ReadingEngine:
    """Gives the number that an image is full of, and the number of its pixels."""

    batch_size: int = 8
    num_bytes: int = 0
    turns: threading.Semaphore = field(default_factory=threading.Semaphore)
    num_images: int = 0
    busy: threading.Lock = field(default_factory=threading.Lock)

    def features(self, images: np.ndarray) -> np.ndarray:
        assert self.busy.acquire(blocking=False), "one at a time"
        time.sleep(0.001)
        self.num_images += len(images)
        numbers = images.reshape(len(images), -1)
        assert (numbers.min(axis=1) == numbers.max(axis=1)).all(), "a slot was written by two"
        self.busy.release()
        return np.stack([numbers[:, 0], np.full(len(images), numbers.shape[1])], axis=1).astype(np.float32)


@pytest.fixture
def threads() -> Iterator[WorkerThreads]:
    threads = WorkerThreads(num_decoding=4)
    yield threads
    threads.close()


@pytest.fixture
def engine() -> ReadingEngine:
    return ReadingEngine()


def lane_of(engine: ReadingEngine, contract: PreprocessingContract = CROP, name: str = "net/crop") -> Lane:
    return Lane(contract, (Extractor(name, lambda: engine),))


def features_of(parts: list[Part[int]]) -> dict[int, float]:
    return {
        number: float(vector[0])
        for part in parts
        for vectors in part.vectors.values()
        for number, vector in zip(part.items, vectors, strict=True)
    }


@pytest.mark.parametrize("batch_size", [1, 5, 8, 100])
def test_every_image_gets_its_own_features_whatever_order_threads_end_in(ledger, threads, batch_size):
    engine = ReadingEngine(batch_size)
    parts = list(FeaturePipeline(threads, [lane_of(engine)], NumberedImages(), KeptFeatures(ledger)).run(range(200)))

    assert features_of(parts) == {n: n for n in range(200) if n not in (UNREADABLE, UNDECODABLE)}
    errors = {number: error for part in parts for number, error in part.errors}
    assert errors == {
        UNREADABLE: ImageError(Reason.NOT_FOUND, "gone"),
        UNDECODABLE: ImageError(Reason.CORRUPT, "damaged"),
    }


def test_an_image_that_was_seen_before_is_not_decoded_and_has_the_same_features(ledger, threads, engine):
    images = NumberedImages()
    first = features_of(list(FeaturePipeline(threads, [lane_of(engine)], images, KeptFeatures(ledger)).run(range(50))))
    images.filled.clear()

    pipeline = FeaturePipeline(threads, [lane_of(engine)], images, KeptFeatures(ledger))
    again = features_of(list(pipeline.run(range(55))))

    assert sorted(images.filled) == [50, 51, 52, 53, 54]
    assert (pipeline.num_reused, pipeline.num_computed) == (49, 5)
    assert {number: again[number] for number in first} == first
    assert again[54] == 54


def test_without_a_store_nothing_is_kept(ledger, threads, engine):
    images = NumberedImages()
    for _ in range(2):
        list(FeaturePipeline(threads, [lane_of(engine)], images, None).run(range(10)))

    assert sorted(images.filled) == sorted([*range(10), *range(10)])
    with ledger.read() as session:
        assert session.scalars(select(func.count()).select_from(FeatureTable)).one() == 0


def test_networks_of_other_input_sizes_share_one_decoding(ledger, threads):
    small, large, other = ReadingEngine(), ReadingEngine(batch_size=3), ReadingEngine()
    lanes = [
        Lane(CROP, (Extractor("small", lambda: small), Extractor("other", lambda: other))),
        lane_of(large, PAD, "large"),
    ]
    images = NumberedImages()
    parts = list(FeaturePipeline(threads, lanes, images, KeptFeatures(ledger)).run(range(20)))

    assert sorted(images.filled) == [n for n in range(20) if n != UNREADABLE]
    assert small.num_images == other.num_images == large.num_images == 19
    sizes = {(name, int(vector[1])) for part in parts for name, vectors in part.vectors.items() for vector in vectors}
    assert sizes == {("small", 12), ("other", 12), ("large", 27)}


def test_a_network_that_is_asked_for_later_is_all_that_is_computed(ledger, threads):
    first, second = ReadingEngine(), ReadingEngine()
    list(
        FeaturePipeline(threads, [lane_of(first, CROP, "first")], NumberedImages(), KeptFeatures(ledger)).run(range(9))
    )
    lanes = [lane_of(first, CROP, "first"), lane_of(second, PAD, "second")]
    list(FeaturePipeline(threads, lanes, NumberedImages(), KeptFeatures(ledger)).run(range(9)))

    assert (first.num_images, second.num_images) == (9, 9)


def test_with_no_network_images_are_decoded_and_that_is_all(threads):
    images = NumberedImages()
    parts = list(FeaturePipeline(threads, [Lane(CROP, ())], images, None).run(range(40)))

    assert sorted(images.filled) == [n for n in range(40) if n != UNREADABLE]
    assert sorted(number for part in parts for number in part.items) == sorted(images.filled)
    assert features_of(parts) == {}


def test_decoding_stays_a_bounded_number_of_images_ahead_of_the_engine(threads, engine):
    images = NumberedImages()
    parts = FeaturePipeline(threads, [lane_of(engine)], images, None).run(range(200))
    next(parts)
    time.sleep(0.3)
    bound = pipeline_module.LOOKUP_SIZE + (pipeline_module.BATCHES_AHEAD + 2) * engine.batch_size
    assert len(images.filled) <= bound < 100
    parts.close()


def test_large_files_go_to_the_engine_in_small_batches(threads, monkeypatch):
    monkeypatch.setattr(pipeline_module, "MAX_WAITING_BYTES", 40)
    engine = ReadingEngine(batch_size=100)
    parts = list(FeaturePipeline(threads, [lane_of(engine)], NumberedImages(), None).run(range(200)))
    assert max(len(part.items) for part in parts) < 100
    assert len(features_of(parts)) == 198


def test_seconds_are_noted_by_stage(ledger, threads, engine):
    pipeline = FeaturePipeline(threads, [lane_of(engine)], NumberedImages(), KeptFeatures(ledger))
    list(pipeline.run(range(30)))
    spent = pipeline.seconds
    assert spent.decode_s > 0.002 * 9
    assert spent.engine_s > 0.001 * 3
    assert spent.read_s > 0
    assert spent.write_s > 0


def test_usage_tells_what_is_stored_and_prune_deletes_what_is_meant(ledger: Database):
    kept = KeptFeatures(ledger)
    vectors = {FeatureKey(f"{n:064}"): np.zeros(4, np.float32) for n in range(30)}
    kept.save({"a/crop": vectors, "b/crop": dict(list(vectors.items())[:10])})
    with ledger.read() as session:
        usage = [(one.extractor, one.num_vectors, one.num_bytes) for one in feature_usage(session)]
    assert usage == [("a/crop", 30, 480), ("b/crop", 10, 160)]

    with ledger.write() as session:
        assert prune_features(session, extractors=None, older_than_s=60, limit=100) == 0
        assert prune_features(session, extractors=["a/crop"], older_than_s=None, limit=20) == 20
        assert prune_features(session, extractors=["a/crop"], older_than_s=-60, limit=20) == 10
    with ledger.read() as session:
        assert [one.extractor for one in feature_usage(session)] == ["b/crop"]


def test_two_that_store_the_same_features_in_other_orders_both_get_through(ledger: Database):
    vectors = {FeatureKey(f"{n:064}"): np.zeros(4, np.float32) for n in range(300)}
    backwards = dict(reversed(vectors.items()))
    for number in range(5):
        names = f"a{number}", f"b{number}"
        orders = ({names[0]: vectors, names[1]: vectors}, {names[1]: backwards, names[0]: backwards})
        start = threading.Barrier(2)

        def save(order: dict[str, dict[FeatureKey, np.ndarray]], start: threading.Barrier = start) -> None:
            start.wait()
            KeptFeatures(ledger).save(order)

        savers = [threading.Thread(target=save, args=[order]) for order in orders]
        for saver in savers:
            saver.start()
        for saver in savers:
            saver.join()
    with ledger.read() as session:
        assert {usage.num_vectors for usage in feature_usage(session)} == {300}


def test_slow_reading_is_progress_before_anything_is_finished(threads, engine, monkeypatch):
    monkeypatch.setattr(watching, "INTERVAL_S", 0.02)
    told: list[int] = []

    class SlowImages(NumberedImages):
        def open(self, number: int) -> Opened:
            time.sleep(0.05)
            return super().open(number)

    images = SlowImages()
    pipeline = FeaturePipeline(threads, [lane_of(engine)], images, None, on_progress=lambda: told.append(0))
    next(pipeline.run(range(12)))
    assert len(told) >= 3


def test_reading_that_hangs_is_no_progress(threads, engine, monkeypatch):
    monkeypatch.setattr(watching, "INTERVAL_S", 0.02)
    told: list[int] = []
    released = threading.Event()

    class HangingImages(NumberedImages):
        def open(self, number: int) -> Opened:
            assert released.wait(30)
            return super().open(number)

    pipeline = FeaturePipeline(threads, [lane_of(engine)], HangingImages(), None, on_progress=lambda: told.append(0))
    running = threading.Thread(target=lambda: list(pipeline.run(range(4))))
    running.start()
    time.sleep(0.3)
    assert told == []
    released.set()
    running.join()
    assert told
