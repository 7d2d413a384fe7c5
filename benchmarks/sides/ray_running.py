"""What both Ray sides share: a quiet local Ray, and a clock that starts when its actors are ready."""

import logging
import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ray.data

# An actor that cannot load its network within this time is broken.
MAX_START_S = 600
BATCH_SIZE = 32
# In every row of the result: when the actor that made it was ready, as `time.time` says.
READY_AT = "ready_at_s"


def start_ray() -> None:
    """Start Ray on this machine: nothing phones home, no dashboard, no progress bars, no log lines of workers."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray  # noqa: PLC0415 - its import is part of the start-up
    import ray.data  # noqa: PLC0415

    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Otherwise Ray decodes hundreds of images while its actors load TensorFlow, and the steady pace would seem higher.
    context.wait_for_min_actors_s = MAX_START_S


def consume(dataset: "ray.data.Dataset", num_images: int) -> float:
    """Execute a dataset whose rows have `READY_AT`, and say how long it took from when all actors were ready.

    Raises:
        RuntimeError: an image has no label.
    """
    num_rows, ready_at_s = 0, 0.0
    for batch in dataset.iter_batches(batch_size=None):
        num_rows += len(batch[READY_AT])
        ready_at_s = max(ready_at_s, *batch[READY_AT].tolist())
    seconds = time.time() - ready_at_s
    if num_rows != num_images:
        raise RuntimeError(f"Ray returned {num_rows} rows for {num_images} images.")
    return seconds


def twice(make: Callable[[int], "ray.data.Dataset"], num_images: int) -> float:
    """Execute a small dataset, so that Ray's workers are there, then the whole one.

    Args:
        make: the dataset of the first so many images.
        num_images: all of them.
    """
    num_warm_up = min(2 * BATCH_SIZE, num_images)
    consume(make(num_warm_up), num_warm_up)
    return consume(make(num_images), num_images)


def num_blocks(num_images: int) -> int:
    """Blocks of a batch each; Ray's own choice for a thousand small files, 200 blocks, takes half as long again."""
    return math.ceil(num_images / BATCH_SIZE)


def rows(labels: list[Any], ready_at_s: float) -> dict[str, Any]:
    """A batch of results as Ray wants it: a column of labels, and when the actor was ready."""
    import numpy as np  # noqa: PLC0415

    return {"label": np.array([str(label) for label in labels]), READY_AT: np.full(len(labels), ready_at_s)}
