"""Batches: cut, put together again, and halved where memory runs out."""

import numpy as np
import pytest

from core.errors import EngineError
from workers.ml.catalog import get_backbone
from workers.ml.engines import measuring
from workers.ml.engines.batching import BatchedEngine, is_out_of_memory
from workers.ml.engines.measuring import choose, fastest_batch_size

SPEC = get_backbone("lenet-5")
IMAGES = np.arange(13, dtype=np.uint8)[:, None, None, None] * np.ones((1, *SPEC.size_hw, 3), np.uint8)


# What the real ones are called; which module they come from does not matter.
class ResourceExhaustedError(Exception):
    """TensorFlow's, which is no RuntimeError."""


class OutOfMemoryError(RuntimeError):
    """PyTorch's."""


class XlaRuntimeError(RuntimeError):
    """JAX's, for whatever goes wrong."""


OUT_OF_MEMORY = [
    ResourceExhaustedError("failed to allocate memory"),
    OutOfMemoryError("CUDA: tried to allocate 2 GiB"),
    XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9663676416 bytes."),
    RuntimeError("Exception from src/inference/cpp/infer_request.cpp: std::bad_alloc"),
    MemoryError(),
]


class FakeEngine(BatchedEngine):
    """Fails above a number of images; the first feature of each is its first pixel."""

    num_bytes = 1
    setup = "fake"

    def __init__(self, *, batch_size: int, room_for: int = 100, error: Exception | None = None) -> None:
        super().__init__(SPEC, batch_size=batch_size)
        self.room_for = room_for
        self.error = error or MemoryError()
        self.num_images: list[int] = []

    def _infer(self, batch: np.ndarray) -> np.ndarray:
        self.num_images.append(len(batch))
        if len(batch) > self.room_for:
            raise self.error
        return np.repeat(batch[:, :1, 0, 0], SPEC.feature_size, axis=1).astype(np.float32)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_where_memory_runs_out_the_batch_is_halved_and_the_same_images_are_done(error, capsys):
    engine = FakeEngine(batch_size=8, room_for=3, error=error)

    features = engine.features(IMAGES)

    np.testing.assert_array_equal(features[:, 0], IMAGES[:, 0, 0, 0])
    assert engine.num_images == [8, 4, 2, 2, 2, 2, 2, 2, 1]
    assert engine.batch_size == 2
    warnings = [line for line in capsys.readouterr().out.splitlines() if "engine_out_of_memory" in line]
    assert len(warnings) == 1
    assert "backbone=lenet-5" in warnings[0]
    assert "before=8" in warnings[0]
    assert "batch_size=2" in warnings[0]


def test_a_smaller_batch_is_kept_for_what_comes_after(capsys):
    engine = FakeEngine(batch_size=8, room_for=4)

    engine.features(IMAGES)
    engine.features(IMAGES)

    assert max(engine.num_images[1:]) == 4
    assert capsys.readouterr().out.count("engine_out_of_memory") == 1


def test_the_batch_that_failed_is_halved_and_not_a_larger_one_that_was_never_run():
    engine = FakeEngine(batch_size=64, room_for=3)

    engine.features(IMAGES[:6])

    assert engine.num_images == [6, 3, 3]


def test_without_room_for_one_image_the_error_says_so():
    engine = FakeEngine(batch_size=4, room_for=0, error=OutOfMemoryError("tried to allocate 2 GiB"))

    with pytest.raises(EngineError, match=r"not enough memory to run lenet-5 on one image .*2 GiB.*smaller network"):
        engine.features(IMAGES)


@pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("shape mismatch"), KeyError("x")])
def test_other_errors_are_not_taken_for_a_lack_of_memory(error):
    engine = FakeEngine(batch_size=4, room_for=0, error=error)

    assert not is_out_of_memory(error)
    with pytest.raises(type(error)):
        engine.features(IMAGES)
    assert engine.num_images == [4]


class FakeMachine:
    """A clock, and batches that take time by it."""

    def __init__(self, *, overhead_s: float, image_s: float, first_s: float = 0.0, room_for: int = 10_000) -> None:
        self.now_s = 0.0
        self.overhead_s, self.image_s, self.first_s, self.room_for = overhead_s, image_s, first_s, room_for
        self.seen: set[int] = set()

    def clock(self) -> float:
        return self.now_s

    def run(self, size: int) -> None:
        if size > self.room_for:
            raise MemoryError
        self.now_s += self.overhead_s + self.image_s * size + (self.first_s if size not in self.seen else 0)
        self.seen.add(size)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (FakeMachine(overhead_s=0, image_s=0.003), 4),  # size makes no difference: the smallest
        (FakeMachine(overhead_s=0.002, image_s=0.003), 16),  # 4% below the best
        (FakeMachine(overhead_s=0.1, image_s=0.001), 32),
        (FakeMachine(overhead_s=0.1, image_s=0.001, room_for=16), 16),
        (FakeMachine(overhead_s=0, image_s=0.003, room_for=3), 2),
        (FakeMachine(overhead_s=0, image_s=2.0), 4),
    ],
)
def test_the_smallest_size_that_is_nearly_the_fastest_is_chosen(machine, expected):
    assert choose(machine.run, [4, 8, 16, 32], budget_s=2.0, clock=machine.clock) == expected


@pytest.mark.parametrize("image_s", [0.0001, 0.003, 0.03, 0.1, 0.2])
def test_looking_for_a_size_takes_no_longer_than_it_may(image_s):
    machine = FakeMachine(overhead_s=0.001, image_s=image_s, first_s=0.01)

    choose(machine.run, [4, 8, 16, 32], budget_s=2.0, clock=machine.clock)

    assert machine.now_s <= 2.0


def test_compiling_for_a_size_does_not_count_against_it():
    machine = FakeMachine(overhead_s=0.01, image_s=0.0001, first_s=8)

    assert choose(machine.run, [16, 32, 64, 128, 256, 512], budget_s=90, clock=machine.clock) == 512


def test_a_network_gets_no_larger_batch_than_it_may(monkeypatch):
    monkeypatch.setattr(measuring, "BUDGET_S", 0.05)
    engine = FakeEngine(batch_size=1)

    assert fastest_batch_size(engine, SPEC, limit=3) == 3
    assert engine.num_images == []
    assert fastest_batch_size(engine, SPEC, limit=9) in (4, 8)
    assert max(engine.num_images) == 8


def test_a_thread_that_fails_behind_another_goes_on_in_the_others_smaller_batches():
    engine = FakeEngine(batch_size=8, room_for=1)
    infer = engine._infer

    def fail_after_another_has_halved(batch):
        if len(batch) == 8:
            engine.batch_size = 1
        return infer(batch)

    engine._infer = fail_after_another_has_halved

    np.testing.assert_array_equal(engine.features(IMAGES)[:, 0], IMAGES[:, 0, 0, 0])
    assert engine.batch_size == 1
