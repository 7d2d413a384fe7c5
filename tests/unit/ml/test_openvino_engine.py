"""OpenVINO says what Keras says, of every family; converting is done once, and what goes wrong is got over."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.settings import EngineName, Settings
from workers.ml.backbones import Backbone, build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.engines.conversion import ConvertedNetworks, network_file
from workers.ml.engines.keras_engine import KerasEngine
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.loading import load_engine
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import to_bytes
from workers.ml.variables import collect_variables

SMALL = NetworkRecipe(get_backbone("lenet-5"), is_published=False)


def recipe_of(backbone: Backbone) -> NetworkRecipe:
    """Exactly this network: a seed gives other numbers on another backend of Keras."""
    return NetworkRecipe(backbone.spec, is_published=False, changes=to_bytes(collect_variables(backbone.network), {}))


@pytest.fixture(scope="module")
def lenet() -> Backbone:
    return build_backbone(SMALL.spec, weights=None, seed=3)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


def random_images(recipe: NetworkRecipe, num: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (num, *recipe.spec.size_hw, 3), np.uint8)


def test_openvino_gives_the_probabilities_that_keras_gives(network, tmp_path):
    folder = ConvertedNetworks(tmp_path).get(recipe_of(network.backbone))
    engine = OpenVinoEngine(network_file(folder), network.spec, batch_size=2)

    received = network.head.probabilities(engine.features(network.images))

    expected = network.head.probabilities(network.features)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4)
    # Otherwise any answer would be within the tolerance.
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


def test_nothing_stands_between_the_convolutions_of_a_converted_network(tmp_path):
    folder = ConvertedNetworks(tmp_path).get(NetworkRecipe(get_backbone("mobilenet-0.25"), is_published=False))

    kinds = re.findall(r'<layer [^>]*type="(\w+)"', network_file(folder).read_text())

    # One turn of the axes, of the pixels; the scaling of batch normalisation is part of the convolutions.
    assert kinds.count("Convolution") + kinds.count("GroupConvolution") == 27
    assert kinds.count("Transpose") <= 2
    assert kinds.count("Multiply") + kinds.count("BatchNormInference") <= 1


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_any_number_of_images_gives_one_feature_vector_each_in_order(lenet, home, batch_size):
    recipe, images = recipe_of(lenet), random_images(SMALL, 10)
    engine = OpenVinoEngine(network_file(ConvertedNetworks(home).get(recipe)), recipe.spec, batch_size=batch_size)

    expected = KerasEngine(lenet, batch_size=10).features(images)
    for num in (0, 1, 10):
        received = engine.features(images[:num])
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected[:num], rtol=0, atol=1e-5)


def test_features_are_the_callers_own(home):
    engine, _ = load_engine(SMALL, Settings(home=home, engine=EngineName.OPENVINO))
    images = random_images(SMALL, 2)

    first = engine.features(images[:1])
    kept = first.copy()
    engine.features(images[1:])

    np.testing.assert_array_equal(first, kept)


def test_images_of_another_shape_are_refused(home):
    engine, _ = load_engine(SMALL, Settings(home=home, engine=EngineName.OPENVINO))

    with pytest.raises(ValueError, match=r"lenet-5: expected \(N, 32, 32, 3\) uint8, received \(1, 9, 9, 3\) uint8"):
        engine.features(np.zeros((1, 9, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", OpenVinoEngine), ("openvino", OpenVinoEngine), ("keras", KerasEngine)],
)
def test_the_settings_choose_the_engine_and_the_network_brings_its_own_head(home, name, expected):
    engine, head = load_engine(SMALL, Settings(home=home, engine=EngineName(name), batch_size=3))

    assert isinstance(engine, expected)
    assert engine.batch_size == 3
    assert head.num_features == SMALL.spec.feature_size
    assert head.num_bytes + engine.num_bytes == pytest.approx(SMALL.spec.num_parameters * 4, rel=0.01)


def test_workers_that_start_together_convert_once_and_the_next_needs_neither_keras_nor_tensorflow(tmp_path):
    script = f"""
import sys
from pathlib import Path
from core.settings import Settings
from workers.ml.catalog import get_backbone
from workers.ml.loading import load_engine
from workers.ml.networks import NetworkRecipe
load_engine(NetworkRecipe(get_backbone("lenet-5"), is_published=False), Settings(home=Path({str(tmp_path)!r})))
heavy = {{"keras", "tensorflow"}} & set(sys.modules)
assert not heavy, heavy
assert sys.modules["openvino_telemetry"] is None
"""
    children = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    outputs = [child.communicate()[0] for child in children]

    assert [child.returncode for child in children] == [0, 0, 0], outputs
    assert "".join(outputs).count("network_converted") == 1
    assert len([path for path in (tmp_path / "engines" / "openvino").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("file", ["network.xml", "network.bin", "head.safetensors"])
def test_a_damaged_conversion_is_made_again(tmp_path, file):
    settings = Settings(home=tmp_path, engine=EngineName.OPENVINO)
    images = random_images(SMALL, 1)
    expected = load_engine(SMALL, settings)[0].features(images)
    (damaged,) = tmp_path.glob(f"engines/openvino/*/{file}")
    damaged.write_bytes(damaged.read_bytes()[:100])

    engine, head = load_engine(SMALL, settings)

    assert isinstance(engine, OpenVinoEngine)
    assert head is not None
    np.testing.assert_array_equal(engine.features(images), expected)


def test_where_openvino_cannot_run_a_network_keras_does_with_one_warning(lenet, tmp_path, capsys):
    (tmp_path / "engines").write_text("a file where the folder of conversions should be")
    recipe, images = recipe_of(lenet), random_images(SMALL, 2)

    engine, _ = load_engine(recipe, Settings(home=tmp_path, engine=EngineName.OPENVINO, batch_size=2))

    assert isinstance(engine, KerasEngine)
    warnings = [line for line in capsys.readouterr().out.splitlines() if "openvino_cannot_run" in line]
    assert len(warnings) == 1
    assert "lenet-5 cannot be converted for OpenVINO" in warnings[0]
    np.testing.assert_allclose(engine.features(images), KerasEngine(lenet, batch_size=2).features(images), atol=1e-6)


def test_equal_networks_have_equal_hashes_and_others_do_not(lenet):
    changed = NetworkRecipe(SMALL.spec, is_published=False, changes=to_bytes({"0000/kernel": np.ones(3)}, {}))
    recipes = [SMALL, NetworkRecipe(SMALL.spec, is_published=False, seed=1), changed, recipe_of(lenet)]

    hashes = [recipe.sha256() for recipe in recipes]

    assert len(set(hashes)) == len(recipes)
    for recipe, sha256 in zip(recipes, hashes, strict=True):
        assert NetworkRecipe.from_bytes(recipe.to_bytes()) == recipe
        assert NetworkRecipe.from_bytes(recipe.to_bytes()).sha256() == sha256
