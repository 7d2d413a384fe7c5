"""Exported files say what the model says: to plain Keras, and to ONNX Runtime."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import DamagedModelError, UsageError
from core.labels import ClassLabel
from core.types import ResizeMode, TrainMode
from workers.ml.backbones import build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.engines.keras_engine import KerasEngine
from workers.ml.exports.exchange_file import ClassDescription, ModelDescription, read_exchange, write_exchange
from workers.ml.exports.keras_file import write_keras
from workers.ml.exports.onnx_file import write_onnx
from workers.ml.exports.whole import build_whole
from workers.ml.heads import Head

LABELS = (ClassLabel("Hat", "0"), ClassLabel("Cube", "1"), ClassLabel("Card", "2"))
METADATA = {"labels": '["Hat", "Cube", "Card"]'}
# One of each way to scale pixels: to -1..1, by ImageNet's mean and deviation, BGR less the mean, not at all.
LARGE = ["densenet121", "resnet50", "efficientnet_b0", "vgg16", "nasnet_mobile", "inception_v3"]
NAMES = ["mobilenet-0.25", "lenet-5", *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]

# Keras by itself: this process has never seen Labelyard.
LOADER = """
import sys, keras, numpy
model = keras.saving.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict_on_batch(numpy.load(sys.argv[2])))
assert not [name for name in sys.modules if name.split(".")[0] in ("workers", "core", "db")]
"""


def random_head(num_features: int) -> Head:
    random = np.random.default_rng(0)
    weights = random.normal(0, num_features**-0.5, (num_features, len(LABELS))).astype(np.float32)
    return Head(weights, random.normal(size=len(LABELS)).astype(np.float32), LABELS)


def model_and_answers(name: str):
    """A whole model, some images, and what Labelyard itself says of them."""
    spec = get_backbone(name)
    backbone, head = build_backbone(spec, weights=None), random_head(spec.feature_size)
    images = np.random.default_rng(1).integers(0, 256, (3, *spec.size_hw, 3), np.uint8)
    expected = head.probabilities(KerasEngine(backbone, batch_size=3).features(images))
    return build_whole(backbone, head, name="parts_1"), images, expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' own variables
def test_a_keras_file_says_the_same_to_plain_keras(name: str, tmp_path: Path):
    model, images, expected = model_and_answers(name)
    write_keras(tmp_path / "model.keras", model, METADATA)
    np.save(tmp_path / "images.npy", images)
    paths = [str(tmp_path / name) for name in ("model.keras", "images.npy", "answers.npy")]
    subprocess.run([sys.executable, "-I", "-c", LOADER, *paths], check=True, cwd=tmp_path, capture_output=True)
    np.testing.assert_allclose(np.load(paths[2]), expected, atol=1e-4)
    with zipfile.ZipFile(paths[0]) as archive:
        assert json.loads(archive.read("labelyard.json")) == {"labels": ["Hat", "Cube", "Card"]}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow's own arrays
def test_an_onnx_file_says_the_same_to_onnx_runtime_for_any_number_of_images(name: str, tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, images, expected = model_and_answers(name)
    write_onnx(tmp_path / "model.onnx", model, METADATA)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["pixels"]
    (answers,) = session.run(["probabilities"], {"pixels": images.astype(np.float32)})
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    (alone,) = session.run(["probabilities"], {"pixels": images[:1].astype(np.float32)})
    np.testing.assert_allclose(alone, expected[:1], atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map == METADATA


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_that_cannot_be_translated_is_an_error_that_says_what_else_to_do(tmp_path: Path):
    model, _, _ = model_and_answers("convnext_tiny")
    with pytest.raises(UsageError, match=r"does not translate .*Erfc.*Export it to keras or safetensors"):
        write_onnx(tmp_path / "model.onnx", model, METADATA)
    assert not (tmp_path / "model.onnx").exists()


def description(**changes: object) -> ModelDescription:
    fields = {
        "name": "parts",
        "version": 3,
        "backbone": "mobilenet-0.25",
        "mode": TrainMode.HEAD,
        "resize": ResizeMode.PAD,
        "labels": [ClassDescription(label=label.label, label_id=label.label_id) for label in LABELS],
        "temperature": 1.5,
        "fingerprint": "f" * 64,
        "training": {},
        "evaluations": [],
        "epochs": [],
    }
    return ModelDescription.model_validate(fields | changes)


def tensors() -> dict[str, np.ndarray]:
    head = random_head(get_backbone("mobilenet-0.25").feature_size)
    return {"weights": head.weights, "bias": head.bias}


def test_what_is_exchanged_comes_back_as_it_was():
    found, head, network = read_exchange(write_exchange(description(), tensors(), None), name="parts.safetensors")
    assert found == description()
    assert network is None
    for name, tensor in tensors().items():
        np.testing.assert_array_equal(head[name], tensor)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"not a file of numbers", "is damaged: expected a safetensors file"),
        (write_exchange(description(), tensors(), None)[:-8], "is damaged"),
        (write_exchange(description(), tensors(), None)[:-1] + b"\x7f", "do not have the sha256"),
        (write_exchange(description(labels=description().labels[:2]), tensors(), None), "expected .256, 2. float32"),
        (write_exchange(description(mode=TrainMode.SCRATCH), tensors(), None), "does not fit the numbers"),
        (
            write_exchange(description(), tensors(), None).replace(
                b'\\"format_version\\":1', b'\\"format_version\\":9'
            ),
            "format_version: Input should be less than or equal to 1",
        ),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_an_error_that_names_it(data: bytes, expected: str):
    with pytest.raises(DamagedModelError, match=rf"(?s)parts\.safetensors.*{expected}"):
        read_exchange(data, name="parts.safetensors")
