"""What one side of a comparison took, as it is handed from the process that measured to the one that compares."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of one side."""

    num_done: int  # images labelled, or trainings
    seconds: float  # that they took at a steady pace
    startup_s: float  # what came before: imports, loading, compiling, the first batch
    wall_s: float  # all in all
    peak_mb: float | None = None  # the most memory that the orchestrator had, where that is a question

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.num_done / self.seconds

    def to_json(self) -> dict[str, float | None]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**values)


# Does the whole work on files, warms up first, and returns how many seconds the work itself took.
Side = Callable[[list[Path]], float]


def print_side(key: str, side: Side) -> None:
    """Be the process of a side: work on the files of the folder that the command line names, print what it took."""
    started_at_s = perf_counter()
    files = files_of(Path(sys.argv[1]))
    seconds = side(files)
    wall_s = perf_counter() - started_at_s
    print_measurements({key: Measurement(len(files), seconds, wall_s - seconds, wall_s)})


def print_measurements(measurements: Mapping[str, Measurement]) -> None:
    """Print what the comparing process reads: the last line of the output."""
    print(json.dumps({key: measurement.to_json() for key, measurement in measurements.items()}), flush=True)


def files_of(folder: Path) -> list[Path]:
    """The images of a folder, in the same order for everybody."""
    return sorted(folder.glob("*.jpg"))
