"""Loss and accuracy over many batches, of which Keras gives those of one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class Figures:
    """Means over the images so far, each image counted once."""

    num_images: int = 0
    loss: float = 0.0
    accuracy: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether the loss is still a number."""
        return bool(np.isfinite(self.loss))

    def add(self, logs: Mapping[str, float], num_images: int) -> None:
        """Take another batch into the means.

        Args:
            logs: what Keras says of the batch: its mean loss and its accuracy.
            num_images: how many images it had.
        """
        self.num_images += num_images
        self.loss += (float(logs["loss"]) - self.loss) * num_images / self.num_images
        self.accuracy += (float(logs["accuracy"]) - self.accuracy) * num_images / self.num_images
