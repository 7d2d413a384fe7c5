"""Fixtures of end-to-end tests: the real program in real processes, with a state folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from program import Cli


@pytest.fixture(scope="session")
def keras_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras cache with weights for `MODEL`: the published ones where they are, else seeded random ones."""
    shared = os.environ.get("LABELYARD_TEST_DATA")
    if shared:
        return Path(shared) / "keras"
    home = tmp_path_factory.mktemp("keras")
    models = home / "models"
    models.mkdir()
    index = {str(number): [f"n{number:08d}", f"class_{number}"] for number in range(1000)}
    (models / "imagenet_class_index.json").write_text(json.dumps(index))
    # A process of its own: whether pytest's has TensorFlow in memory must not depend on the order of tests.
    script = (
        "import keras, sys; keras.utils.set_random_seed(0);"
        "model = keras.applications.MobileNet(alpha=0.25, weights=None);"
        # Statistics of noise in its batch normalisation: with none, every layer makes its inputs ten times smaller.
        "[setattr(layer, 'momentum', 0.0) for layer in model.layers if hasattr(layer, 'moving_variance')];"
        "model(keras.random.uniform((16, 224, 224, 3), -1, 1, seed=0), training=True);"
        # The published files are of Keras 2's format, which the public API no longer writes.
        "from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group as save; import h5py;"
        "save(h5py.File(sys.argv[1], 'w'), model)"
    )
    weights = models / "mobilenet_2_5_224_tf.h5"
    subprocess.run([sys.executable, "-c", script, str(weights)], check=True, capture_output=True)
    return home


@pytest.fixture(scope="session")
def make_environment(keras_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], dict[str, str]]:
    """Makes the environment of a program that has its own state and nobody else's settings.

    Converted networks alone are shared: they follow from the weights, and making them takes seconds.
    """
    engines = tmp_path_factory.mktemp("engines")

    def make(folder: Path) -> dict[str, str]:
        state = folder / "state"
        state.mkdir(exist_ok=True, parents=True)
        if not (state / "engines").exists():
            (state / "engines").symlink_to(engines)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
        return inherited | {"LABELYARD_HOME": str(state), "KERAS_HOME": str(keras_home)}

    return make


@pytest.fixture
def environment(make_environment: Callable[[Path], dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """The environment for one test."""
    return make_environment(tmp_path)


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Iterator[Cli]:
    """The program, embedded."""
    cli = Cli(environment, tmp_path)
    yield cli
    cli.close()


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path, redis_url: str, postgres_url: str) -> Iterator[Cli]:
    """The program, with a real Redis and a real PostgreSQL."""
    servers = {"LABELYARD_BROKER_URL": redis_url, "LABELYARD_DATABASE_URL": postgres_url}
    cli = Cli(environment | servers, tmp_path)
    yield cli
    cli.close()


@pytest.fixture(scope="session")
def make_photographs() -> Callable[[Path, int], Path]:
    """Makes a folder of small pictures, each different."""

    def make(folder: Path, num_images: int) -> Path:
        folder.mkdir()
        random = np.random.default_rng(0)
        for number in range(num_images):
            picture = random.integers(0, 256, (12, 12, 3), np.uint8)
            picture = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{number:05d}.jpg"), picture)
        return folder

    return make


@pytest.fixture
def photographs(make_photographs: Callable[[Path, int], Path], tmp_path: Path) -> Callable[..., Path]:
    """Makes such a folder in the folder that the program runs in."""
    return lambda num_images, name="photographs": make_photographs(tmp_path / name, num_images)


@pytest.fixture(scope="session")
def make_labelled_pictures() -> Callable[..., Path]:
    """Makes a dataset of class folders: noise on one colour for each class."""
    colours = {"red": (0, 0, 200), "blue": (200, 0, 0), "white": (220, 220, 220)}  # BGR

    def make(folder: Path, *, num_images: int, names: tuple[str, ...] = ("blue", "red")) -> Path:
        random = np.random.default_rng(0)
        for name in names:
            (folder / name).mkdir(parents=True)
            for number in range(num_images):
                noise = random.integers(-30, 30, (48, 64, 3))
                image = np.clip(np.array(colours[name]) + noise, 0, 255).astype(np.uint8)
                assert cv2.imwrite(str(folder / name / f"{number:02d}.png"), image)
        return folder

    return make
