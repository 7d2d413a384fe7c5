"""Networks with random weights, built once and used by every test of their backbone."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from core.labels import ClassLabel
from workers.ml.backbones import Backbone, build_classifier, split
from workers.ml.catalog import BACKBONES, BackboneSpec, smallest_of_families
from workers.ml.heads import Head

NUM_CLASSES = 1000
LABELS = tuple(ClassLabel(f"class {index}", str(index)) for index in range(NUM_CLASSES))


@dataclass(frozen=True)
class Network:
    """One backbone, whole and cut in two."""

    spec: BackboneSpec
    classifier: Any
    backbone: Backbone
    head: Head
    images: np.ndarray  # (2, H, W, 3) uint8
    features: np.ndarray  # (2, F) float32, what the backbone makes of them


@pytest.fixture(scope="session", autouse=True)
def _keras_home(tmp_path_factory) -> Iterator[None]:
    """Keras writes a settings file into its home when it is imported; tests keep it out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield


def pytest_generate_tests(metafunc):
    """Give `network`, `spec` and `published_spec` one row per family, and under `-m slow` all the others."""
    smallest = smallest_of_families()
    rows = [
        pytest.param(spec, id=spec.name, marks=() if spec in smallest else pytest.mark.slow)
        for spec in BACKBONES.values()
    ]
    for name in {"network", "spec"} & set(metafunc.fixturenames):
        metafunc.parametrize(name, rows, indirect=name == "network", scope="module")
    if "published_spec" in metafunc.fixturenames:
        metafunc.parametrize("published_spec", [row for row in rows if row.values[0].is_published], scope="module")


@pytest.fixture(scope="module")
def network(request) -> Iterator[Network]:
    """A backbone with random weights whose classes differ clearly; memory is given back afterwards."""
    yield build_network(request.param)
    release_memory()


def build_network(spec: BackboneSpec) -> Network:
    import keras  # noqa: PLC0415 - only tests that build networks wait for TensorFlow

    # A fresh session numbers unnamed layers from the start, as the catalogue names them.
    release_memory()
    classifier = build_classifier(spec, weights=None, seed=7)
    images = np.random.default_rng(7).integers(0, 256, (2, *spec.size_hw, 3), np.uint8)
    layer = classifier.get_layer(spec.classifier_layer)
    backbone, _ = split(classifier, spec, LABELS)
    features = keras.ops.convert_to_numpy(backbone.network(backbone.preprocess(images), training=False))
    # Fresh weights make every class equally likely, and any head would seem right. Spread the classes out.
    kernel, _ = layer.get_weights()
    spread = (features @ kernel.reshape(spec.feature_size, NUM_CLASSES)).std()
    bias = np.random.default_rng(8).normal(size=NUM_CLASSES).astype(np.float32)
    layer.set_weights([kernel * (2 / spread), bias])
    _, head = split(classifier, spec, LABELS)
    return Network(spec, classifier, backbone, head, images, features)


def release_memory() -> None:
    import keras  # noqa: PLC0415 - only tests that build networks wait for TensorFlow

    keras.utils.clear_session()
    gc.collect()
