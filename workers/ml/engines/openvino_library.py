"""OpenVINO, imported late, and without the package that would report each use of it to its makers."""

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

_TELEMETRY = "openvino_telemetry"


@cache
def import_openvino() -> ModuleType:
    """Import OpenVINO. Its first import and every conversion would call home; without that package nothing does."""
    if "openvino" not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what makes an import of it fail
    import openvino  # noqa: PLC0415  see the module's docstring

    module: ModuleType = openvino
    return module


def openvino_version() -> str | None:
    """Which OpenVINO is installed, without importing it; None if there is none."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        return None
