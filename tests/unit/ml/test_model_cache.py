import threading
import time

import numpy as np
import pytest

from core.errors import UnknownModelError
from core.labels import ClassLabel
from workers.ml.catalog import get_backbone
from workers.ml.heads import Head
from workers.ml.model_cache import BackboneCache, LoadedBackbone

ONE_CLASS = Head(np.ones((1, 1), np.float32), np.ones(1, np.float32), (ClassLabel("thing", "0"),))


class SizedEngine:
    """An engine of a given size that computes nothing."""

    batch_size = 1

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes

    def features(self, images: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def load_100_bytes(name: str) -> LoadedBackbone:
    return LoadedBackbone(get_backbone(name), SizedEngine(100 - ONE_CLASS.num_bytes), ONE_CLASS)


def test_a_backbone_is_loaded_once_and_kept():
    cache = BackboneCache(load_100_bytes, max_bytes=1000)

    assert cache.get("vgg16") is cache.get("vgg16")
    assert cache.loads == {"vgg16": 1}


def test_the_least_recently_used_backbone_goes_when_the_budget_is_exceeded():
    cache = BackboneCache(load_100_bytes, max_bytes=200)

    for name in ("vgg16", "vgg19", "vgg16", "xception"):
        cache.get(name)

    assert cache.warm == ("vgg16", "xception")


def test_a_dropped_backbone_is_loaded_again_and_counted_again():
    cache = BackboneCache(load_100_bytes, max_bytes=100)

    for name in ("vgg16", "vgg19", "vgg16"):
        cache.get(name)

    assert cache.loads == {"vgg16": 2, "vgg19": 1}


def test_a_backbone_larger_than_the_budget_is_kept_while_it_is_the_latest():
    cache = BackboneCache(load_100_bytes, max_bytes=1)

    cache.get("vgg16")
    cache.get("vgg19")

    assert cache.warm == ("vgg19",)


def test_a_backbone_that_cannot_be_loaded_is_neither_counted_nor_warm():
    cache = BackboneCache(load_100_bytes, max_bytes=1000)

    with pytest.raises(UnknownModelError):
        cache.get("no such backbone")

    assert cache.loads == {}
    assert cache.warm == ()


def test_threads_that_ask_at_once_wait_for_one_load():
    def load_slowly(name: str) -> LoadedBackbone:
        time.sleep(0.05)
        return load_100_bytes(name)

    cache = BackboneCache(load_slowly, max_bytes=1000)
    threads = [threading.Thread(target=cache.get, args=("vgg16",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.loads == {"vgg16": 1}


def test_looking_at_what_is_warm_does_not_wait_for_a_load():
    loading, may_end = threading.Event(), threading.Event()

    def load_on_demand(name: str) -> LoadedBackbone:
        loading.set()
        assert may_end.wait(10)
        return load_100_bytes(name)

    cache = BackboneCache(load_on_demand, max_bytes=1000)
    thread = threading.Thread(target=cache.get, args=("vgg16",))
    thread.start()
    assert loading.wait(10)

    seen: list[object] = []
    observer = threading.Thread(target=lambda: seen.extend([cache.warm, cache.loads]), daemon=True)
    observer.start()
    observer.join(5)
    may_end.set()
    thread.join()

    assert seen == [(), {}]
