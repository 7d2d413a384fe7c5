"""One real worker: its processes, its log, and what makes it slow enough for faults to find it at work."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Eight threads read, so that a chunk of 24 takes a worker three times as long.
IMAGE_S = 0.25
SHIMS = Path(__file__).with_name("shims")


@dataclass(frozen=True, slots=True)
class Worker:
    """A `labelyard worker`."""

    process: subprocess.Popen[bytes]
    log: Path
    id: str  # in the ledger

    @property
    def is_alive(self) -> bool:
        """Whether its first process runs."""
        return self.process.poll() is None

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under a name."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and f'"{name}"' in line]
        return [event for event in found if event.get("event") == name]


def slowed(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which reading an image takes long enough for faults to find it."""
    return {**env, "PYTHONPATH": str(SHIMS), "FAULTS_IMAGE_S": str(IMAGE_S)}


def is_running(pid: int | None) -> bool:
    """Whether a process runs, or could: it is there and no zombie."""
    return process_state(pid) not in ("", "Z", "X")


def process_state(pid: int | None) -> str:
    """The kernel's letter for what a process does, T for a stopped one; empty: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
