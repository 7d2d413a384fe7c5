"""How much memory a process may still take: of the machine, and of the container that it is in.

Asked before a network is loaded, because the kernel kills a process that takes too much without a word.
"""

from collections.abc import Iterator
from pathlib import Path

from core.errors import MemoryShortError
from workers.ml.catalog import BackboneSpec

BYTES_PER_PARAMETER = 4
# Loading holds the weights as read, as OpenVINO or TensorFlow keeps them, and as the compiled network wants them.
COPIES_LOADED = 3
# Training adds gradients, the optimizer's two numbers for each weight, and the best epoch so far.
COPIES_TRAINED = 7


def require_memory(spec: BackboneSpec, *, num_copies: int, available: int | None = None) -> None:
    """Make sure that a network fits.

    Args:
        spec: which one.
        num_copies: how often its weights are in memory at the most.
        available: bytes that are left; None: as the system says.

    Raises:
        MemoryShortError: it does not.
    """
    left = available_bytes() if available is None else available
    needed = spec.num_parameters * BYTES_PER_PARAMETER * num_copies
    if left is not None and left < needed:
        raise MemoryShortError(
            f"{spec.name} needs about {_megabytes(needed)} of memory here, and {_megabytes(left)} are left. Give the "
            "worker more, lower LABELYARD_MODEL_MEMORY_BYTES, or run fewer of them on this machine."
        )


def available_bytes(*, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory that may still be taken, in bytes; None where the system does not tell.

    Args:
        proc: where Linux tells of processes.
        groups: where it tells of control groups (version 2), by which containers are limited.
    """
    limits = [*_of_machine(proc / "meminfo"), *_of_groups(proc / "self/cgroup", groups)]
    return max(min(limits), 0) if limits else None


def _of_machine(file: Path) -> Iterator[int]:
    for line in _lines(file):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            yield int(value.split()[0]) * 1024


def _of_groups(file: Path, root: Path) -> Iterator[int]:
    """What each group that this process is in leaves; a group is limited by those around it as well."""
    paths = [line.removeprefix("0::").strip("/") for line in _lines(file) if line.startswith("0::")]
    for path in paths:
        folder = root / path
        for group in (folder, *folder.parents):
            yield from _of_group(group)
            if group == root:
                break


def _of_group(folder: Path) -> Iterator[int]:
    limit, used = _lines(folder / "memory.max"), _lines(folder / "memory.current")
    if limit and used and limit[0].isdigit():
        # Files that were read and are not in use are let go of before anybody is killed.
        reclaimable = dict(line.split() for line in _lines(folder / "memory.stat")).get("inactive_file", "0")
        yield int(limit[0]) - int(used[0]) + int(reclaimable)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
