"""Which batch size is the fastest here, found by trying.

OpenVINO on two quiet AVX-512 cores, images/s by batch size 1, 2, 4, 8, 16, 32, the best of five runs: MobileNet-0.75
491, 578, 597, 571, 525, 502; ResNet50 63, 67, 69, 66, 64, 64; VGG16 14.3, 15.4, 16.1, 16.4, 16.8, 16.6. An accelerator
wants hundreds. Good sizes differ by less than a busy machine's noise, so they take turns and each is judged by its best
run.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from workers.ml.catalog import BackboneSpec
from workers.ml.engines.batching import BatchedEngine

PROCESSOR_SIZES = (4, 8, 16, 32)
ACCELERATOR_SIZES = (16, 32, 64, 128, 256)  # no more than a chunk has
# A start may take this much longer, once per network and machine. Compiling for each size is most of the longer one.
BUDGET_S = 2.0
COMPILING_BUDGET_S = 90.0
SHORTEST_S = 1e-9  # what a clock that stands still between two looks is taken for
# Sizes this close to the best are as good; the smallest of them answers soonest and takes the least memory.
TOLERANCE = 0.05


def fastest_batch_size(engine: BatchedEngine, spec: BackboneSpec, *, limit: int) -> int:
    """Try an engine on noise.

    Args:
        engine: what to try.
        spec: the backbone that it runs.
        limit: the largest size that may come out.

    Returns:
        The smallest size that is nearly as fast as the best.
    """
    candidates = ACCELERATOR_SIZES if engine.is_accelerated else PROCESSOR_SIZES
    sizes = [size for size in candidates if size <= limit]
    if len(sizes) <= 1:
        return min(limit, candidates[0])
    noise = np.random.default_rng(0).integers(0, 256, (sizes[-1], *spec.size_hw, 3), np.uint8)
    budget_s = COMPILING_BUDGET_S if engine.has_one_shape else BUDGET_S
    return choose(lambda size: engine.run_batch(noise[:size]), sizes, budget_s=budget_s)


def choose(
    run: Callable[[int], object],
    sizes: Sequence[int],
    *,
    budget_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Find the smallest of some batch sizes that is nearly as fast as the best.

    Args:
        run: computes one batch of a size.
        sizes: from small to large.
        budget_s: seconds that it may take; exceeded only where two batches of the smallest size alone take longer.
        clock: tells seconds.
    """
    ends_at_s = clock() + budget_s
    best_s = _first_times(run, sizes, ends_at_s=ends_at_s, clock=clock)
    if not best_s:
        return max(1, sizes[0] // 2)
    while clock() + sum(best_s.values()) <= ends_at_s:
        for size, taken_s in best_s.items():
            best_s[size] = min(taken_s, _time(run, size, clock))
    rates = {size: size / max(taken_s, SHORTEST_S) for size, taken_s in best_s.items()}
    return min(size for size, rate in rates.items() if rate >= (1 - TOLERANCE) * max(rates.values()))


def _first_times(
    run: Callable[[int], object], sizes: Sequence[int], *, ends_at_s: float, clock: Callable[[], float]
) -> dict[int, float]:
    """Time each size, as far as time and memory go; none if there is no memory for the first."""
    times_s: dict[int, float] = {}
    expected_s = 0.0
    for size in sizes:
        if times_s and clock() + expected_s > ends_at_s:
            break
        try:
            # What the first batch of a size waits for, compiling above all, is not the speed of that size.
            first_s = _time(run, size, clock)
            times_s[size] = _time(run, size, clock)
        except MemoryError:
            break
        # A batch twice as large takes twice as long, the compiling as long as before.
        expected_s = first_s + 3 * times_s[size]
    return times_s


def _time(run: Callable[[int], object], size: int, clock: Callable[[], float]) -> float:
    started_at_s = clock()
    run(size)
    return clock() - started_at_s
