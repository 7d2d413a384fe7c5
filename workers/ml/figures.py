"""Loss and accuracy, of a batch or of many."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over some images, each of which counts once; those of two lots of images can be added up."""

    num_images: int = 0
    loss: float = 0.0  # mean cross-entropy in nats
    accuracy: float = 0.0  # 0..1

    @property
    def is_finite(self) -> bool:
        """Whether the loss is still a number."""
        return bool(np.isfinite(self.loss))

    def __add__(self, other: "Figures") -> "Figures":
        """The means over the images of both."""
        num_images = self.num_images + other.num_images
        share = other.num_images / num_images if num_images else 0.0
        return Figures(
            num_images,
            self.loss + (other.loss - self.loss) * share,
            self.accuracy + (other.accuracy - self.accuracy) * share,
        )
