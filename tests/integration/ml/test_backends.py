"""Networks know no backend: Keras on JAX labels as Keras on TensorFlow and as OpenVINO do."""

import csv
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from workers.ml.backbones import build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.engines.keras_engine import KerasEngine
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import to_bytes
from workers.ml.variables import collect_variables

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed: no other backend to run on")

ON_JAX = {"KERAS_BACKEND": "jax", "LABELYARD_ENGINE": "keras", "LABELYARD_BATCH_SIZE": "4", "JAX_PLATFORMS": "cpu"}
# Keras imports TensorFlow where it is there, whatever runs networks; here it is not there.
SCRIPT = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
import numpy as np
from core.settings import Settings
from workers.ml.loading import load_engine
from workers.ml.networks import NetworkRecipe
folder = Path(sys.argv[1])
engine, _ = load_engine(NetworkRecipe.from_bytes((folder / "recipe").read_bytes()), Settings(home=folder))
np.save(folder / "features.npy", engine.features(np.load(folder / "images.npy")))
import keras
assert keras.backend.backend() == "jax"
"""


@pytest.mark.parametrize("name", ["lenet-5", "mobilenet-0.25"])
def test_a_network_gives_on_jax_what_it_gives_on_tensorflow(name, tmp_path):
    backbone = build_backbone(get_backbone(name), weights=None, seed=4)
    # A seed gives other numbers on another backend, so the numbers go over in a file.
    changes = to_bytes(collect_variables(backbone.network), {})
    recipe = NetworkRecipe(backbone.spec, is_published=False, changes=changes)
    images = np.random.default_rng(4).integers(0, 256, (6, *backbone.spec.size_hw, 3), np.uint8)
    (tmp_path / "recipe").write_bytes(recipe.to_bytes())
    np.save(tmp_path / "images.npy", images)

    run([sys.executable, "-c", SCRIPT, str(tmp_path)], ON_JAX)

    received = np.load(tmp_path / "features.npy")
    expected = KerasEngine(backbone, batch_size=6).features(images)
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_photographs_are_labelled_on_jax_as_they_are_on_openvino(test_data, tmp_path):
    labels = {
        name: label(test_data, tmp_path / name, environment)
        for name, environment in {"openvino": {"LABELYARD_ENGINE": "openvino"}, "jax": ON_JAX}.items()
    }

    assert len(labels["jax"]) == 5
    for on_jax, on_openvino in zip(labels["jax"], labels["openvino"], strict=True):
        assert on_jax["label_id"] == on_openvino["label_id"] != ""
        assert float(on_jax["score"]) == pytest.approx(float(on_openvino["score"]), abs=1e-4)


def label(test_data: Path, folder: Path, environment: dict[str, str]) -> list[dict[str, str]]:
    """Label five photographs with the real program."""
    folder.mkdir()
    photographs = sorted((test_data / "data" / "imagenet_samples").iterdir())[:5]
    (folder / "photographs.txt").write_text("".join(f"{path}\n" for path in photographs))
    program = Path(sys.executable).with_name("labelyard")
    run(
        [str(program), "label", str(folder / "photographs.txt"), "--model", "mobilenet-0.25", "--out", "labels.csv"],
        environment | {"LABELYARD_HOME": str(folder / "home"), "KERAS_HOME": str(test_data / "keras")},
        cwd=folder,
    )
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run(command: list[str], environment: dict[str, str], cwd: Path | None = None) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
    child = subprocess.run(
        command, env=inherited | environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=240
    )
    assert child.returncode == 0, child.stdout + child.stderr
