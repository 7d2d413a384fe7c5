"""What every engine does: pixels in, features out.

What comes before (decoding, resizing) and after (heads) is not its business.
"""

import threading
from enum import StrEnum
from typing import Protocol

import numpy as np

from workers.ml.catalog import BackboneSpec


class Precision(StrEnum):
    """The numbers that an engine computes with; what goes in and comes out is the same for all."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class Engine(Protocol):
    """Runs one backbone."""

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes at most; on an accelerator, fewer cost as much."""

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""

    @property
    def turns(self) -> threading.Semaphore:
        """Whoever computes holds one of these; there are as many as it computes batches at once."""

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute feature vectors. No more threads at a time than it has turns.

        Args:
            images: (N, H, W, 3) uint8 RGB of the backbone's input size; N may be anything.

        Returns:
            (N, F) float32, in the images' order; the caller's own.

        Raises:
            ValueError: the images are not of that shape or type.
            EngineError: there is not enough memory for a single image.
        """


def check_images(images: np.ndarray, spec: BackboneSpec) -> None:
    """Refuse what is not a batch of images for a network.

    Raises:
        ValueError: the images are not (N, H, W, 3) uint8 of the network's input size.
    """
    expected = (*spec.size_hw, 3)
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise ValueError(
            f"Images for {spec.name}: expected (N, {', '.join(map(str, expected))}) uint8, "
            f"received {images.shape} {images.dtype}."
        )
