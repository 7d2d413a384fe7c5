"""Networks in int8: made once, judged by images that they were not calibrated on, refused where labels would change."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import numpy as np
import pytest

from core.errors import EngineError, SetupError, UsageError
from core.labels import ClassLabel
from core.settings import Settings
from workers.ml.catalog import get_backbone
from workers.ml.engines import quantization
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.engines.quantization import QuantizedNetwork, quantize
from workers.ml.heads import Head
from workers.ml.loading import load_engine, load_quantized
from workers.ml.networks import NetworkRecipe

pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="nncf is not installed: nothing to make int8 with")

SMALL = NetworkRecipe(get_backbone("lenet-5"), is_published=False)
IMAGES = np.random.default_rng(0).integers(0, 256, (120, *SMALL.spec.size_hw, 3), np.uint8)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), batch_size=8)


@pytest.fixture(scope="module")
def quantized(settings) -> QuantizedNetwork:
    return quantize(SMALL, settings, lambda: IMAGES, force=True)


def head_of(*favoured: int) -> Head:
    """A head that takes everything for one class."""
    bias = np.zeros(3, np.float32)
    bias[list(favoured)] = 1000
    weights = np.zeros((SMALL.spec.feature_size, 3), np.float32)
    return Head(weights, bias, tuple(ClassLabel(str(number), str(number)) for number in range(3)))


def test_int8_gives_nearly_the_same_features_from_fewer_bytes(settings, quantized):
    full, head = load_engine(SMALL, settings)

    engine, own_head = load_quantized(SMALL, settings, quantized.folder)

    assert isinstance(engine, OpenVinoEngine)
    assert "int8" in engine.setup
    assert engine.num_bytes < 0.5 * full.num_bytes
    assert engine.batch_size == 8
    np.testing.assert_array_equal(own_head.weights, head.weights)
    expected, received = full.features(IMAGES), engine.features(IMAGES)
    error = np.abs(received - expected).max() / np.abs(expected).max()
    assert 0 < error < 0.2


def test_what_it_is_worth_is_measured_on_images_that_it_was_not_calibrated_on(settings, quantized):
    full, head = load_engine(SMALL, settings)
    engine, _ = load_quantized(SMALL, settings, quantized.folder)

    same = [head.probabilities(part.features(IMAGES[1::2])).argmax(axis=1) for part in (full, engine)]

    assert quantized.num_judged == 60
    assert quantized.agreement == np.mean(same[0] == same[1])


def test_what_was_made_and_judged_before_is_taken_as_it_is(settings, quantized, monkeypatch):
    monkeypatch.setattr(quantization, "run_module", None)
    monkeypatch.setattr(quantization, "OpenVinoEngine", None)

    assert quantize(SMALL, settings, lambda: IMAGES[:3], force=True) == quantized


def test_another_head_is_judged_by_its_own_classes_on_the_same_network(settings, quantized, monkeypatch):
    monkeypatch.setattr(quantization, "run_module", None)

    judged = quantize(SMALL, settings, lambda: IMAGES, head=head_of(1))

    assert judged == QuantizedNetwork(quantized.folder, 1.0, 60)


def test_a_network_that_changes_labels_is_refused_unless_forced(settings, quantized, monkeypatch):
    monkeypatch.setattr(quantization, "MIN_AGREEMENT", 1.01)

    with pytest.raises(UsageError, match=r"lenet-5 in int8 agrees .* on \d+\.\d% of 60 images.*--force-int8"):
        quantize(SMALL, settings, lambda: IMAGES)
    assert quantize(SMALL, settings, lambda: IMAGES, force=True) == quantized


@pytest.mark.usefixtures("quantized")
def test_images_that_were_calibrated_on_judge_nothing(settings):
    copies = np.repeat(IMAGES[::2], 3, axis=0)

    with pytest.raises(UsageError, match=r"at least 50 .* received 0"):
        quantize(SMALL, settings, lambda: copies, head=head_of(2))


def test_too_few_images_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UsageError, match=r"at least 50 .* received 40.*more images"):
        quantize(SMALL, Settings(home=tmp_path), lambda: IMAGES[:80])


def test_a_network_without_classes_of_its_own_needs_a_head(settings, monkeypatch):
    monkeypatch.setattr(quantization, "read_own_head", lambda *_: None)

    with pytest.raises(UsageError, match="lenet-5 has no classes of its own"):
        quantize(SMALL, settings, lambda: IMAGES)


def test_without_nncf_the_error_says_how_to_get_it(settings, monkeypatch):
    def fail(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(quantization, "version", fail)

    with pytest.raises(SetupError, match=r"labelyard\[int8\]"):
        quantize(SMALL, settings, lambda: IMAGES)


def test_a_damaged_network_is_named(settings, tmp_path):
    (tmp_path / "network.xml").write_text("<net")
    (tmp_path / "network.bin").write_bytes(b"")

    with pytest.raises(EngineError, match=rf"Delete {tmp_path}"):
        load_quantized(SMALL, settings, tmp_path)


def test_workers_that_start_together_quantize_once_and_nobody_is_told(tmp_path):
    script = f"""
import sys
from pathlib import Path
import numpy as np
from core.settings import Settings
from workers.ml.catalog import get_backbone
from workers.ml.engines.quantization import quantize
from workers.ml.networks import NetworkRecipe
images = np.random.default_rng(0).integers(0, 256, (120, 32, 32, 3), np.uint8)
recipe = NetworkRecipe(get_backbone("lenet-5"), is_published=False)
print(quantize(recipe, Settings(home=Path({str(tmp_path)!r})), lambda: images, force=True))
heavy = {{"keras", "tensorflow", "nncf"}} & set(sys.modules)
assert not heavy, heavy
"""
    children = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [child.communicate()[0] for child in children]

    assert [child.returncode for child in children] == [0, 0]
    assert "".join(outputs).count("network_quantized") == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert len([path for path in (tmp_path / "engines" / "openvino").iterdir() if path.is_dir()]) == 2
