"""Networks as OpenVINO reads them: converted once per machine, kept in the state folder by what they are made of."""

import hashlib
import shutil
import time
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

import structlog

from core.errors import EngineError
from workers.ml.engines.artifacts import make_once, run_module
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
        folder = self.path(recipe)
        if not folder.is_dir():
            self._make(recipe, folder)
        return folder

    def path(self, recipe: NetworkRecipe, made_with: str = "") -> Path:
        """Where a network is, or would be.

        Args:
            recipe: which network.
            made_with: what else than converting was done to it, and by which version of what; empty: nothing.
        """
        versions = f"{FORMAT}\0{openvino_version()}\0{version('keras')}\0{recipe.sha256()}\0{made_with}"
        return self._folder / f"{recipe.spec.name}-{hashlib.sha256(versions.encode()).hexdigest()[:32]}"

    def others(self, needed: Collection[Path]) -> list[Path]:
        """What is there beside some networks: of other weights, other versions, or given up half-made."""
        folders = self._folder.iterdir() if self._folder.is_dir() else iter(())
        return sorted(folder for folder in folders if folder.is_dir() and folder not in needed)

    def remake(self, recipe: NetworkRecipe) -> Path:
        """Convert again what turned out to be damaged.

        Raises:
            EngineError: it cannot be converted.
        """
        shutil.rmtree(self.path(recipe), ignore_errors=True)
        return self.get(recipe)

    def _make(self, recipe: NetworkRecipe, folder: Path) -> None:
        started_at_s = time.monotonic()
        try:
            is_made = make_once(folder, lambda unfinished: _convert(recipe, unfinished))
        except (EngineError, OSError) as error:
            raise EngineError(f"{recipe.spec.name} cannot be converted for OpenVINO: {error}") from error
        if is_made:
            duration_s = round(time.monotonic() - started_at_s, 1)
            logger.info("network_converted", backbone=recipe.spec.name, duration_s=duration_s)


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


def _convert(recipe: NetworkRecipe, folder: Path) -> None:
    run_module(
        "workers.ml.engines.converting",
        [str(folder)],
        standard_input=recipe.to_bytes(),
        environment={"KERAS_BACKEND": "openvino"},
        timeout_s=TIMEOUT_S,
    )
