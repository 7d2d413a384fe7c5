import subprocess
import sys

import numpy as np
import pytest

from core.labels import ClassLabel
from workers.ml.backbones import Backbone, build_backbone, build_classifier, preprocessing, split
from workers.ml.catalog import get_backbone
from workers.ml.engines import keras_engine
from workers.ml.engines.interface import Precision
from workers.ml.engines.keras_engine import KerasEngine

LABELS = tuple(ClassLabel(str(index), str(index)) for index in range(1000))
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    spec = get_backbone("mobilenet-0.25")
    return split(build_classifier(spec, weights=None, seed=5), spec, LABELS)[0]


@pytest.fixture(scope="module")
def expected(backbone) -> np.ndarray:
    """(10, F) what the network itself gives."""
    return np.asarray(backbone.network(backbone.preprocess(IMAGES), training=False))


@pytest.mark.parametrize("batch_size", [1, 4, 5, 32])
def test_any_number_of_images_gives_one_feature_vector_each_in_order(backbone, expected, batch_size):
    received = KerasEngine(backbone, batch_size=batch_size).features(IMAGES)

    assert received.dtype == np.float32
    # Random weights make the features tiny, so they are compared by their own measure.
    measure = np.abs(expected).max()
    np.testing.assert_allclose(received / measure, expected / measure, rtol=0, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() / measure > 1e-3


def test_pixels_are_scaled_inside_the_network_as_outside(spec):
    import keras  # noqa: PLC0415

    images = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), np.uint8)
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    inside = keras.Model(pixels, preprocessing(spec)(keras.ops.cast(pixels, "float32")) * 1.0)

    # The network is not asked for.
    outside = Backbone(spec, network=None).preprocess(images)

    np.testing.assert_allclose(inside.predict_on_batch(images), outside, rtol=0, atol=1e-4)


def test_no_images_give_no_features(backbone):
    assert KerasEngine(backbone, batch_size=4).features(IMAGES[:0]).shape == (0, 256)


def test_images_are_left_as_they_are(backbone):
    images = IMAGES.copy()

    KerasEngine(backbone, batch_size=4).features(images)
    backbone.preprocess(images)

    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize("images", [IMAGES[:, :100], IMAGES[..., :1], IMAGES[0], IMAGES.astype(np.float32)])
def test_images_of_another_shape_or_type_are_refused_with_what_was_expected(backbone, images):
    with pytest.raises(ValueError, match=r"mobilenet-0\.25: expected \(N, 224, 224, 3\) uint8, received \("):
        KerasEngine(backbone, batch_size=4).features(images)


@pytest.mark.parametrize(
    ("is_compiled_by_shape", "expected"),
    [(True, [4] * 7), (False, [1, 1, 3, 4, 4, 4, 1])],
)
def test_batches_are_filled_up_only_where_each_shape_is_compiled(backbone, monkeypatch, is_compiled_by_shape, expected):
    monkeypatch.setattr(keras_engine, "compiles_each_shape", lambda: is_compiled_by_shape)
    engine = KerasEngine(backbone, batch_size=4)
    shapes = []
    predict = engine._model.predict_on_batch
    monkeypatch.setattr(engine._model, "predict_on_batch", lambda batch: shapes.append(batch.shape) or predict(batch))

    engine.warm_up()
    for num in (1, 3, 4, 9):
        engine.features(IMAGES[:num])

    assert [shape[0] for shape in shapes] == expected


def test_features_do_not_depend_on_the_batch_that_an_image_is_in(backbone):
    together = KerasEngine(backbone, batch_size=8).features(IMAGES)
    alone = KerasEngine(backbone, batch_size=1).features(IMAGES)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_it_knows_how_much_memory_its_weights_take(backbone):
    engine = KerasEngine(backbone, batch_size=3)

    assert engine.num_bytes == backbone.num_bytes == 4 * (475_544 - 256 * 1000 - 1000)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "efficientnet_b0"])
def test_half_precision_gives_the_same_classes_and_features_in_full_precision(name):
    network = seeded(name)
    images = distinct_images(network.spec)
    full = KerasEngine(network, batch_size=4).features(images)

    engine = KerasEngine(network, batch_size=4, precision=Precision.FLOAT16)
    half = engine.features(images)

    assert engine.precision is Precision.FLOAT16
    assert half.dtype == np.float32
    # Eleven bits for each number, and some fifty layers: within 1% of the largest feature.
    assert 0 < np.abs(half - full).max() <= 0.01 * np.abs(full).max()
    np.testing.assert_array_equal(classes(half, full), classes(full, full))
    assert len(set(classes(full, full))) > 1


def test_what_half_precision_cannot_hold_is_computed_in_full_precision_with_one_warning(capsys):
    # Fresh weights let the numbers shrink from layer to layer, to nothing in sixteen bits.
    network = seeded("mobilenet-0.25")
    images = distinct_images(network.spec)
    full = KerasEngine(network, batch_size=4).features(images)

    engine = KerasEngine(network, batch_size=4, precision=Precision.FLOAT16)
    received = engine.features(images)
    engine.features(images)

    assert engine.precision is Precision.FLOAT32
    np.testing.assert_allclose(received, full, rtol=1e-4, atol=1e-6 * full.max())
    assert capsys.readouterr().out.count("half_precision_left") == 1


def test_on_a_processor_numbers_are_not_halved():
    assert keras_engine.fastest_precision() is Precision.FLOAT32


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(["gpu:0"], Precision.FLOAT16), (["cuda:0"], Precision.FLOAT16), (["tpu:0"], Precision.FLOAT32)],
)
def test_on_a_gpu_they_are(monkeypatch, devices, expected):
    monkeypatch.setattr(keras_engine, "device_names", lambda: devices)

    assert keras_engine.fastest_precision() is expected
    assert keras_engine.has_accelerator()


def test_a_gpus_memory_is_taken_as_it_is_needed_unless_the_user_says_otherwise():
    script = """
import os
from workers.ml.engines.keras_engine import has_accelerator
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "true"
has_accelerator()
print(os.environ["TF_FORCE_GPU_ALLOW_GROWTH"], os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"])
"""
    child = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert child.stdout.split() == ["true", "true"]


def seeded(name: str) -> Backbone:
    return build_backbone(get_backbone(name), weights=None, seed=5)


def distinct_images(spec) -> np.ndarray:
    """Eight images that differ in colour, brightness and grain."""
    random = np.random.default_rng(2)
    shapes = [(8, 1, 1, 3), (8, *spec.size_hw, 3)]
    colour, grain = (random.integers(0, 128, shape) for shape in shapes)
    return (colour + grain).astype(np.uint8)


def classes(features: np.ndarray, reference: np.ndarray) -> list[int]:
    """What a random head of ten classes takes images for; features are laid around their middle so that it can tell."""
    head = np.random.default_rng(3).normal(size=(features.shape[1], 10))
    return list(((features - reference.mean(axis=0)) @ head).argmax(axis=1))
