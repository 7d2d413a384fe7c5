"""What a worker computes on: whether it is what was asked for, and how to call it.

The question is put to Keras in a process of its own, so that the orchestrator and a worker's parent may ask too.
"""

import os
import subprocess
import sys

from core.errors import SetupError
from core.settings import DeviceName, EngineName, Settings
from workers.ml.engines.choosing import may_have_accelerator
from workers.ml.engines.machine import card_names, processor_name

# Importing TensorFlow is most of it.
DEVICES_TIMEOUT_S = 120.0
# By these, the drivers' libraries are told to see no card.
_HIDING_VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")


def require_device(settings: Settings) -> None:
    """Make sure that there is what the settings ask to compute on; with `cpu`, see to it that nothing else is used.

    Raises:
        SetupError: a GPU is asked for, and there is none, or the engine does not run on one.
    """
    match settings.device:
        case DeviceName.CPU:
            os.environ.update(dict.fromkeys(_HIDING_VARIABLES, "-1"))
        case DeviceName.GPU:
            _require_gpu(settings)
        case DeviceName.AUTO:
            return


def describe_device(settings: Settings) -> str:
    """What networks run with and on, for people, without waiting for Keras: "openvino on AMD EPYC 7763 x2"."""
    cards = [] if settings.device is DeviceName.CPU or settings.engine is EngineName.OPENVINO else card_names()
    engine = settings.engine if settings.engine is not EngineName.AUTO else _fitting_engine(cards)
    return f"{engine} on {', '.join(cards) or processor_name()}"


def list_devices() -> str:
    """Keras' backend and the devices that it finds, on one line.

    Raises:
        SetupError: it cannot be used, or does not answer.
    """
    command = [sys.executable, "-P", "-m", "workers.ml.devices"]
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, check=False, timeout=DEVICES_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Keras said nothing for {DEVICES_TIMEOUT_S:.0f} s. Look at the GPU.") from error
    if child.returncode != 0:
        problem = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise SetupError(f"Keras cannot be used: {problem}. Install Labelyard again.")
    return child.stdout.strip()


def _require_gpu(settings: Settings) -> None:
    if settings.engine is EngineName.OPENVINO:
        raise SetupError(
            "LABELYARD_DEVICE=gpu and LABELYARD_ENGINE=openvino exclude each other: OpenVINO runs on processors here. "
            "Set LABELYARD_ENGINE=auto or keras, or LABELYARD_DEVICE=cpu."
        )
    found = list_devices() if may_have_accelerator() else "no driver of one"
    if "gpu" not in found.lower() and "cuda" not in found.lower():
        raise SetupError(
            f"LABELYARD_DEVICE=gpu asks for a GPU, and this machine has none that Keras can use (found: {found}). With "
            "an NVIDIA card, install its driver and the `gpu` extra: pip install 'labelyard[gpu]'. "
            "LABELYARD_DEVICE=auto works without."
        )


def _fitting_engine(cards: list[str]) -> EngineName:
    return EngineName.KERAS if cards else EngineName.OPENVINO
