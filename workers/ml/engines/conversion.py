"""Networks as OpenVINO reads them: converted once per machine, kept in the state folder by what they are made of."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import structlog
from filelock import FileLock

from core.errors import EngineError
from workers.ml.engines.converting import BIAS, HEAD_FILE, NETWORK_FILE, WEIGHTS
from workers.ml.engines.openvino_library import openvino_version
from workers.ml.heads import Head
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import from_bytes

logger = structlog.get_logger(__name__)

# Counts up when what `workers.ml.engines.converting` writes changes.
FORMAT = 1
CACHE_FOLDER = "engines/openvino"  # below the state folder
# VGG16 takes 10 s on two cores; what takes longer than this hangs.
TIMEOUT_S = 280.0


class ConvertedNetworks:
    """The cache of converted networks. Processes may share it: each network is converted by one of them.

    Args:
        home: the state folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home.expanduser().resolve() / CACHE_FOLDER

    def get(self, recipe: NetworkRecipe) -> Path:
        """The folder of a converted network, made if it is not there.

        Raises:
            EngineError: it cannot be converted.
        """
        folder = self._folder / _key(recipe)
        if not folder.is_dir():
            self._make(recipe, folder)
        return folder

    def remake(self, recipe: NetworkRecipe) -> Path:
        """Convert again what turned out to be damaged.

        Raises:
            EngineError: it cannot be converted.
        """
        shutil.rmtree(self._folder / _key(recipe), ignore_errors=True)
        return self.get(recipe)

    def _make(self, recipe: NetworkRecipe, folder: Path) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # The system lets go of the lock of a process that dies.
            with FileLock(folder.with_name(f"{folder.name}.lock")):
                if folder.is_dir():
                    return
                started_at_s = time.monotonic()
                with tempfile.TemporaryDirectory(dir=self._folder, prefix="unfinished-") as unfinished:
                    _convert(recipe, Path(unfinished) / "network")
                    (Path(unfinished) / "network").rename(folder)
        except OSError as error:
            raise EngineError(f"{recipe.spec.name} cannot be converted for OpenVINO: {error}.") from error
        logger.info(
            "network_converted", backbone=recipe.spec.name, duration_s=round(time.monotonic() - started_at_s, 1)
        )


def network_file(folder: Path) -> Path:
    """What `OpenVinoEngine` takes, in a folder that `ConvertedNetworks` made."""
    return folder / NETWORK_FILE


def read_own_head(folder: Path, recipe: NetworkRecipe) -> Head | None:
    """A converted network's own last layer, if it has one.

    Raises:
        DamagedModelError: the file is damaged.
        WeightsError: ImageNet's class names cannot be had.
    """
    path = folder / HEAD_FILE
    if not path.is_file():
        return None
    tensors, _ = from_bytes(path.read_bytes(), name=str(path))
    return Head(tensors[WEIGHTS], tensors[BIAS], tuple(recipe.head_labels()))


def _key(recipe: NetworkRecipe) -> str:
    made_with = f"{FORMAT}\0{openvino_version()}\0{version('keras')}\0{recipe.sha256()}"
    return f"{recipe.spec.name}-{hashlib.sha256(made_with.encode()).hexdigest()[:32]}"


def _convert(recipe: NetworkRecipe, folder: Path) -> None:
    """Run the conversion in a process of its own.

    Raises:
        EngineError: it failed.
    """
    folder.mkdir()
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "workers.ml.engines.converting", str(folder)],
            input=recipe.to_bytes(),
            env=os.environ | {"KERAS_BACKEND": "openvino"},
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"Converting {recipe.spec.name} for OpenVINO took over {TIMEOUT_S:.0f} s.") from error
    if child.returncode != 0:
        problem = (child.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"{recipe.spec.name} cannot be converted for OpenVINO: {problem}")
