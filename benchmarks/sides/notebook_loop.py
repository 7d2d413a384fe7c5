"""(a) The notebook's loop: read, resize, predict and decode one image after the other."""

from pathlib import Path
from time import perf_counter

from benchmarks.measurement import print_side

NUM_WARM_UP = 5


def run(files: list[Path]) -> float:
    """Label the files."""
    from benchmarks.sides import notebook  # noqa: PLC0415 - its import is part of the start-up

    model = notebook.load()
    for path in files[:NUM_WARM_UP]:
        notebook.label(model, path)
    started_at_s = perf_counter()
    for path in files:
        notebook.label(model, path)
    return perf_counter() - started_at_s


if __name__ == "__main__":
    print_side("notebook", run)
