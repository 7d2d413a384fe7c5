"""Published weights and class names: where Keras caches them, and how to get those that are missing.

The orchestrator asks here before it accepts a job, so TensorFlow must not be imported: what only Keras can do, a child
process does (`workers.ml.fetch`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from core.errors import UsageError, WeightsError
from core.labels import ClassLabel
from workers.ml.catalog import BackboneSpec, describe_unpublished

KERAS_HOME_VARIABLE = "KERAS_HOME"
CACHE_FOLDER = "models"  # below Keras' home
CLASS_INDEX_FILE = "imagenet_class_index.json"
# What `python -m workers.ml.fetch` ends with when a file cannot be had.
EXIT_MISSING = 3


def keras_home() -> Path:
    """The folder that Keras takes for its own, found as Keras finds it."""
    if KERAS_HOME_VARIABLE in os.environ:
        return Path(os.environ[KERAS_HOME_VARIABLE]).expanduser()
    home = Path.home()
    if not os.access(home, os.W_OK):
        home = Path("/tmp")  # noqa: S108 - where Keras goes then; files there are read as numbers, never executed
    return home / ".keras"


def cache_path(file_name: str) -> Path:
    """Where Keras caches a published file."""
    return keras_home() / CACHE_FOLDER / file_name


def weights_path(spec: BackboneSpec) -> Path:
    """Where the published weights of a backbone are, or would be.

    Raises:
        UsageError: it has none.
    """
    if spec.weights_file is None:
        raise UsageError(describe_unpublished(spec))
    return cache_path(spec.weights_file)


def is_cached(spec: BackboneSpec) -> bool:
    """Whether the published weights of a backbone are on this machine."""
    return spec.is_published and weights_path(spec).is_file()


def ensure_weights(spec: BackboneSpec) -> None:
    """Make sure that a backbone's published weights and ImageNet's class names are on this machine.

    Raises:
        UsageError: it has no published weights.
        WeightsError: a file is missing and cannot be downloaded; the message says which and where to put it.
    """
    if not (weights_path(spec).is_file() and cache_path(CLASS_INDEX_FILE).is_file()):
        _fetch(spec.name)


def imagenet_labels() -> list[ClassLabel]:
    """ImageNet's 1000 classes, in the order of the published heads' outputs.

    Raises:
        WeightsError: Keras' class index is missing and cannot be downloaded, or is damaged.
    """
    path = cache_path(CLASS_INDEX_FILE)
    if not path.is_file():
        _fetch()
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        rows = [index[str(position)] for position in range(len(index))]
        return [ClassLabel(label=label, label_id=label_id) for label_id, label in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not Keras' class index. Delete it, so that it is downloaded again.") from error


def describe_missing(path: Path, problem: object) -> str:
    """Say that a published file cannot be had, and how to mend it."""
    return (
        f"{path.name} is missing and cannot be downloaded: {problem}. Connect to the internet, or put the file into "
        f"{path.parent} (the folder `{CACHE_FOLDER}` of {KERAS_HOME_VARIABLE}, which is {keras_home()})."
    )


def _fetch(*names: str) -> None:
    child = subprocess.run(  # noqa: S603 - our own module, and names from the catalogue
        [sys.executable, "-P", "-m", "workers.ml.fetch", *names], capture_output=True, text=True, check=False
    )
    if child.returncode == EXIT_MISSING:
        raise WeightsError(child.stderr.strip())
    if child.returncode != 0:
        last_line = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise WeightsError(f"Fetching {' '.join(names) or CLASS_INDEX_FILE} ended with {child.returncode}: {last_line}")
