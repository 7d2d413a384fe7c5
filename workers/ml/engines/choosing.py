"""Which engine runs here, told from the settings and from what the machine has."""

from pathlib import Path

import structlog

from core.settings import DeviceName, EngineName
from workers.ml.engines.openvino_library import openvino_version

logger = structlog.get_logger(__name__)

# Drivers make these: NVIDIA's, AMD's. Asking Keras instead takes seconds on the machines that have none.
_ACCELERATOR_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd")


def choose_engine(wanted: EngineName, device: DeviceName = DeviceName.AUTO) -> EngineName:
    """Decide between OpenVINO, which is faster on processors, and Keras, which runs on accelerators.

    Args:
        wanted: what the settings ask for.
        device: what it is to run on.

    Returns:
        `keras` or `openvino`.
    """
    if wanted is EngineName.KERAS or openvino_version() is None:
        if wanted is EngineName.OPENVINO:
            logger.warning("openvino_missing", mend="Install openvino, or set LABELYARD_ENGINE=keras.")
        return EngineName.KERAS
    if wanted is EngineName.OPENVINO or device is DeviceName.CPU or not may_have_accelerator():
        return EngineName.OPENVINO
    from workers.ml.engines.keras_engine import has_accelerator  # noqa: PLC0415 - Keras is asked only if it is worth it

    return EngineName.KERAS if has_accelerator() else EngineName.OPENVINO


def may_have_accelerator() -> bool:
    """Whether a driver of one is there; where not, nobody need wait for Keras to say so."""
    return any(Path(name).exists() for name in _ACCELERATOR_FILES)
