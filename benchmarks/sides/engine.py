"""(e) The engine alone, on images that are decoded and resized already: no pipeline on its processor can be faster."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from benchmarks.measurement import print_side

NUM_THREADS = 2
BACKBONE = "mobilenet-0.75"


def run(files: list[Path]) -> float:
    """Run as many images through the network as there are files; what they show does not matter."""
    import numpy as np  # noqa: PLC0415 - its import is part of the start-up

    from core.settings import Settings  # noqa: PLC0415
    from workers.ml.catalog import get_backbone  # noqa: PLC0415
    from workers.ml.loading import load_engine  # noqa: PLC0415
    from workers.ml.networks import NetworkRecipe  # noqa: PLC0415

    spec = get_backbone(BACKBONE)
    engine, _ = load_engine(NetworkRecipe(spec), Settings())
    images = np.random.default_rng(0).integers(0, 256, (len(files), *spec.size_hw, 3), np.uint8)
    engine.features(images[: 2 * engine.batch_size])
    return compute(engine, images)[1]


def compute(engine, images):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - imported late
    """Run an engine on as many batches at once as it has turns for, as a worker does: features, and seconds."""
    import numpy as np  # noqa: PLC0415 - its import is part of the start-up

    def run_share(share: np.ndarray) -> np.ndarray:
        with engine.turns:
            return engine.features(share)

    with ThreadPoolExecutor(NUM_THREADS) as threads:
        started_at_s = perf_counter()
        features = np.concatenate(list(threads.map(run_share, np.array_split(images, NUM_THREADS))))
        return features, perf_counter() - started_at_s


if __name__ == "__main__":
    print_side("engine", run)
