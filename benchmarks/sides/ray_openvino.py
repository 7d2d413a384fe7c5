"""(d) Ray Data with Labelyard's own engine and preprocessing: what is left to compare is how they are kept busy."""

import time
from pathlib import Path
from typing import Any

from benchmarks.measurement import print_side
from benchmarks.sides.ray_running import BATCH_SIZE, num_blocks, rows, start_ray, twice

BACKBONE = "mobilenet-0.75"


class Labeller:
    """The actor: loads the converted network once, labels batches."""

    def __init__(self) -> None:
        from core.settings import Settings  # noqa: PLC0415 - in the actor's process
        from workers.ml.loading import load_backbone  # noqa: PLC0415

        self._backbone = load_backbone(BACKBONE, Settings())
        self._ready_at_s = time.time()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Label a batch of (N, 224, 224, 3) uint8 RGB."""
        from workers.ml.heads import top_k  # noqa: PLC0415

        head = self._backbone.head
        indices, _ = top_k(head.probabilities(self._backbone.engine.features(batch["image"])), 5)
        return rows([[head.labels[index].label for index in best] for best in indices], self._ready_at_s)


def decode(batch: dict[str, Any]) -> dict[str, Any]:
    """Decode and crop a batch of files, in a task of its own."""
    import numpy as np  # noqa: PLC0415 - in a worker's process

    from core.preprocessing import PreprocessingContract  # noqa: PLC0415
    from workers.ml.decoding import Decoder  # noqa: PLC0415
    from workers.ml.limits import ImageLimits  # noqa: PLC0415
    from workers.ml.resizing import prepare  # noqa: PLC0415

    contract = PreprocessingContract((224, 224))
    decoder = Decoder(ImageLimits(max_bytes=2**28, max_pixels=100_000_000))
    return {"image": np.stack([prepare(decoder.decode(data), contract) for data in batch["bytes"]])}


def run(files: list[Path]) -> float:
    """Label the files."""
    start_ray()
    import ray.data  # noqa: PLC0415

    def make(number: int) -> ray.data.Dataset:
        paths = [str(path) for path in files[:number]]
        contents = ray.data.read_binary_files(paths, override_num_blocks=num_blocks(number))
        images = contents.map_batches(decode, batch_size=BATCH_SIZE)
        # One actor: the engine uses every core by itself.
        return images.map_batches(Labeller, batch_size=BATCH_SIZE, concurrency=1, num_cpus=1)

    return twice(make, len(files))


if __name__ == "__main__":
    print_side("ray_openvino", run)
