"""What the real program needs around it in tests: weights, a state folder, and nobody else's settings."""

import json
import os
import subprocess
import sys
from pathlib import Path


def find_or_make_keras_home(folder: Path) -> Path:
    """A Keras cache with weights for `program.MODEL`: the published ones where they are, else seeded random ones."""
    shared = os.environ.get("LABELYARD_TEST_DATA")
    if shared:
        return Path(shared) / "keras"
    models = folder / "models"
    models.mkdir(parents=True)
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
    return folder


def program_environment(state: Path, *, engines: Path, keras_home: Path) -> dict[str, str]:
    """The environment of a program with its own state folder, which is made, and converted networks of others."""
    state.mkdir(exist_ok=True, parents=True)
    if not (state / "engines").exists():
        (state / "engines").symlink_to(engines)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
    return inherited | {"LABELYARD_HOME": str(state), "KERAS_HOME": str(keras_home)}
