"""What this machine computes on, by name, asked from the system: importing what computes would take seconds."""

import os
import platform
import re
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")
_NVIDIA_CARDS = Path("/proc/driver/nvidia/gpus")  # one folder each, made by the driver


def num_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """The processor's model and how many this process may use: "AMD EPYC 7763 x2"."""
    found = _search(r"model name\s*:\s*(.+)", _PROCESSORS)
    return f"{found or platform.processor() or platform.machine()} x{num_threads()}"


def card_names() -> list[str]:
    """Models of NVIDIA's cards, sorted; none if the driver does not tell."""
    return sorted(filter(None, (_search(r"Model:\s*(.+)", file) for file in _NVIDIA_CARDS.glob("*/information"))))


def _search(pattern: str, file: Path) -> str | None:
    try:
        match = re.search(pattern, file.read_text(errors="replace"))
    except OSError:
        return None
    return match[1].strip() if match else None
