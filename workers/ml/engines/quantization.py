"""Networks in int8: made once per machine beside the full ones, with what they were measured to be worth.

Eight bits are two to three times as fast on processors that multiply them, and change some labels. How many is measured
on images that the network was not calibrated on; below 99% agreement it is refused unless the user insists.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import structlog

from core.errors import EngineError, SetupError, UsageError
from core.settings import Settings
from workers.ml.engines.artifacts import make_once, run_module
from workers.ml.engines.conversion import ConvertedNetworks, network_file, read_own_head
from workers.ml.engines.openvino_engine import OpenVinoEngine
from workers.ml.heads import Head
from workers.ml.networks import NetworkRecipe

logger = structlog.get_logger(__name__)

MIN_AGREEMENT = 0.99
# With fewer, one label more or less would decide.
MIN_JUDGED_IMAGES = 50
MAX_CALIBRATION_IMAGES = 300
# MobileNet-0.75 takes 7 s on two cores, ResNet50 10 s.
TIMEOUT_S = 1800.0
_BATCH_SIZE = 8
_IMAGES_FILE, _CALIBRATION_FILE = "images.npy", "calibration.json"


@dataclass(frozen=True, slots=True)
class QuantizedNetwork:
    """A network in int8, on this machine's disk, and what it is worth to one head."""

    folder: Path
    agreement: float  # the share of judged images whose best class is that of full precision
    num_judged: int  # images, none of which it was calibrated on


def quantize(
    recipe: NetworkRecipe,
    settings: Settings,
    images: Callable[[], np.ndarray],
    *,
    head: Head | None = None,
    force: bool = False,
) -> QuantizedNetwork:
    """Get a network in int8: the one that is kept, or one made now.

    What is kept stays as it is whatever the images are, so that equal images get equal features.

    Args:
        recipe: which network.
        settings: where networks are kept.
        images: gets (N, H, W, 3) uint8 RGB of the kind that it will see; called if they are needed. If it is made now,
            it is calibrated on every other one, up to 300; a head that has not been asked for before is judged on those
            that it was not calibrated on.
        head: by whose classes it is judged; None: by the network's own.
        force: take it whatever it is worth.

    Raises:
        UsageError: it changes too many labels, or there are too few images, or it has no classes to be judged by.
        SetupError: NNCF or OpenVINO is not installed.
        EngineError: the network cannot be converted, quantized or run.
    """
    networks = ConvertedNetworks(settings.home)
    full = networks.get(recipe)
    head = head or read_own_head(full, recipe)
    if head is None:
        raise UsageError(f"{recipe.name or recipe.spec.name} has no classes of its own by which int8 could be judged.")
    folder = quantized_folder(recipe, settings)
    get_images = cache(images)
    if not folder.is_dir():
        _make(recipe, full, get_images(), folder)
    quantized = _recall(folder, head) or _judge(recipe, full, get_images(), folder, head)
    if quantized.agreement < MIN_AGREEMENT and not force:
        raise UsageError(
            f"{recipe.name or recipe.spec.name} in int8 agrees with full precision on {quantized.agreement:.1%} of "
            f"{quantized.num_judged} images; at least {MIN_AGREEMENT:.0%} is asked for. Use full precision, or "
            f"--force-int8 if labels may change. Delete {folder} to have it calibrated on other images."
        )
    return quantized


def quantized_folder(recipe: NetworkRecipe, settings: Settings) -> Path:
    """Where a network in int8 is, or would be.

    Raises:
        SetupError: NNCF is not installed.
    """
    return ConvertedNetworks(settings.home).path(recipe, f"int8 by NNCF {_nncf_version()}")


def _make(recipe: NetworkRecipe, full: Path, images: np.ndarray, folder: Path) -> None:
    calibration = images[::2][:MAX_CALIBRATION_IMAGES]
    _check_number(len(images) - len(calibration))

    def fill(unfinished: Path) -> None:
        np.save(unfinished / _IMAGES_FILE, calibration)
        arguments = [str(path) for path in (network_file(full), unfinished / _IMAGES_FILE, unfinished)]
        run_module("workers.ml.engines.quantizing", arguments, timeout_s=TIMEOUT_S)
        (unfinished / _IMAGES_FILE).unlink()
        (unfinished / _CALIBRATION_FILE).write_text(json.dumps([_hash(image) for image in calibration]))

    started_at_s = time.monotonic()
    try:
        is_made = make_once(folder, fill)
    except (EngineError, OSError) as error:
        raise EngineError(f"{recipe.spec.name} cannot be brought to int8: {error}") from error
    if is_made:
        duration_s = round(time.monotonic() - started_at_s, 1)
        logger.info("network_quantized", backbone=recipe.spec.name, num_images=len(calibration), duration_s=duration_s)


def _judge(recipe: NetworkRecipe, full: Path, images: np.ndarray, folder: Path, head: Head) -> QuantizedNetwork:
    """Compare the best classes of both networks, and remember how often they are the same."""
    try:
        seen = set(json.loads((folder / _CALIBRATION_FILE).read_bytes()))
        unseen = images[[_hash(image) not in seen for image in images]]
        _check_number(len(unseen))
        in_full, in_int8 = (
            OpenVinoEngine(network_file(path), recipe.spec, batch_size=_BATCH_SIZE).features(unseen)
            for path in (full, folder)
        )
        same = head.probabilities(in_full).argmax(axis=1) == head.probabilities(in_int8).argmax(axis=1)
        quantized = QuantizedNetwork(folder, float(same.mean()), len(unseen))
        measured = json.dumps({"agreement": quantized.agreement, "num_judged": quantized.num_judged})
        unfinished = _measured_file(folder, head).with_suffix(f".{os.getpid()}")
        unfinished.write_text(measured)
        unfinished.replace(_measured_file(folder, head))
    except (RuntimeError, OSError, ValueError) as error:
        raise EngineError(f"{recipe.spec.name} in int8 cannot be judged: {error}. Delete {folder}.") from error
    logger.info("int8_judged", backbone=recipe.spec.name, agreement=quantized.agreement, num_images=len(unseen))
    return quantized


def _recall(folder: Path, head: Head) -> QuantizedNetwork | None:
    """What it was measured to be worth to a head, if it was."""
    try:
        measured = json.loads(_measured_file(folder, head).read_bytes())
        return QuantizedNetwork(folder, float(measured["agreement"]), int(measured["num_judged"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_number(num_judged: int) -> None:
    if num_judged < MIN_JUDGED_IMAGES:
        raise UsageError(
            "int8 is judged on images that it was not calibrated on: expected at least "
            f"{MIN_JUDGED_IMAGES} of them, and as many to calibrate on, received {num_judged}. Use full precision, or "
            "label more images."
        )


def _measured_file(folder: Path, head: Head) -> Path:
    return folder / f"measured-{_hash(head.weights, head.bias)[:32]}.json"


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _nncf_version() -> str:
    try:
        return version("nncf")
    except PackageNotFoundError as error:
        raise SetupError("int8 needs NNCF, which is not installed: pip install 'labelyard[int8]'.") from error
