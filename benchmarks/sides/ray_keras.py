"""(c) Ray Data as its guide to batch inference has it: `read_images`, then an actor with the Keras model."""

import time
from pathlib import Path
from typing import Any

from benchmarks.measurement import print_side
from benchmarks.sides.ray_running import BATCH_SIZE, num_blocks, rows, start_ray, twice

SIZE_HW = (224, 224)


class Labeller:
    """The actor: loads the network once, labels batches."""

    def __init__(self) -> None:
        import keras  # noqa: PLC0415 - in the actor's process
        import numpy as np  # noqa: PLC0415

        self._application = keras.applications.mobilenet
        self._model = keras.applications.MobileNet(alpha=0.75, weights="imagenet")
        # Two sizes: Keras compiles a second time for the second size it meets.
        for size in (BATCH_SIZE, 1):
            self._model.predict(np.zeros((size, *SIZE_HW, 3), np.float32), verbose=0)
        self._ready_at_s = time.time()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Label a batch of (N, 224, 224, 3) uint8 RGB."""
        inputs = self._application.preprocess_input(batch["image"].astype("float32"))
        predictions = self._model.predict_on_batch(inputs)
        return rows(self._application.decode_predictions(predictions, top=5), self._ready_at_s)


def run(files: list[Path]) -> float:
    """Label the files."""
    start_ray()
    import ray.data  # noqa: PLC0415

    def make(number: int) -> ray.data.Dataset:
        paths = [str(path) for path in files[:number]]
        images = ray.data.read_images(paths, size=SIZE_HW, mode="RGB", override_num_blocks=num_blocks(number))
        # On two cores two actors that leave one of them to the readers were as fast as, or faster than, a single one.
        return images.map_batches(Labeller, batch_size=BATCH_SIZE, concurrency=2, num_cpus=0.5)

    return twice(make, len(files))


if __name__ == "__main__":
    print_side("ray_keras", run)
