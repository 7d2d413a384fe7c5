"""Published weights on real photographs: what Labelyard computes is what Keras computes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.settings import Settings
from workers.ml.catalog import get_backbone
from workers.ml.heads import top_k
from workers.ml.loading import load_backbone
from workers.ml.model_cache import BackboneCache

NUM_PHOTOGRAPHS = 20


@pytest.fixture(autouse=True)
def _published_weights(test_data, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(test_data / "keras"))


@pytest.fixture
def photographs(test_data) -> list[Path]:
    return sorted((test_data / "data" / "imagenet_samples").iterdir())[:NUM_PHOTOGRAPHS]


@pytest.fixture
def images(photographs) -> np.ndarray:
    """(20, 224, 224, 3) uint8 RGB, the photographs' central squares."""
    return np.stack([read_central_square(path) for path in photographs])


@pytest.mark.parametrize(("name", "alpha", "num_right"), [("mobilenet-0.25", 0.25, 8), ("mobilenet-0.75", 0.75, 14)])
def test_published_mobilenets_give_what_plain_keras_gives(name, alpha, num_right, images, photographs, test_data):
    import keras  # noqa: PLC0415 - only this test waits for TensorFlow

    loaded = load_backbone(name, Settings(batch_size=8))
    received = loaded.head.probabilities(loaded.engine.features(images))

    plain = keras.applications.MobileNet(
        alpha=alpha, weights=str(test_data / "keras" / "models" / get_backbone(name).weights_file)
    )
    inputs = keras.applications.mobilenet.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(received, plain.predict(inputs, verbose=0), rtol=0, atol=1e-5)

    best = top_k(received, 1)[0][:, 0]
    wordnet_ids = [path.name.partition("_")[0] for path in photographs]
    assert sum(loaded.head.labels[i].label_id == wnid for i, wnid in zip(best, wordnet_ids, strict=True)) >= num_right


def test_a_process_that_uses_two_backbones_in_turn_loads_each_once(images):
    cache = BackboneCache(lambda name: load_backbone(name, Settings(batch_size=8)), max_bytes=2**30)

    first = cache.get("mobilenet-0.25").engine.features(images[:1])
    cache.get("mobilenet-0.75")
    again = cache.get("mobilenet-0.25").engine.features(images[:1])

    assert cache.loads == {"mobilenet-0.25": 1, "mobilenet-0.75": 1}
    np.testing.assert_array_equal(first, again)


def read_central_square(path: Path) -> np.ndarray:
    image_rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    side = min(image_rgb.shape[:2]) * 7 // 8
    top, left = ((length - side) // 2 for length in image_rgb.shape[:2])
    return cv2.resize(image_rgb[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
