"""(f) Reading, decoding and resizing alone, with Labelyard's own code, in as many threads as a worker has."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from benchmarks.measurement import print_side

NUM_WARM_UP = 20


def run(files: list[Path]) -> float:
    """Prepare the files as a labelling job would, and drop the result."""
    from core.items import FileLocator  # noqa: PLC0415 - its import is part of the start-up
    from core.preprocessing import PreprocessingContract  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from workers.images.loading import build_image_loader  # noqa: PLC0415

    settings = Settings()
    images = build_image_loader(settings)
    contracts = (PreprocessingContract((224, 224)),)

    def prepare(path: Path) -> None:
        images.prepare(FileLocator(str(path)), contracts)

    with ThreadPoolExecutor(settings.decode_threads) as pool:
        list(pool.map(prepare, files[:NUM_WARM_UP]))
        started_at_s = perf_counter()
        list(pool.map(prepare, files))
        return perf_counter() - started_at_s


if __name__ == "__main__":
    print_side("decoding", run)
