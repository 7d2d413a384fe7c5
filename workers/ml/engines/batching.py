"""What all engines share: images cut into batches, and batches halved where memory runs out.

Nothing here imports what computes; which of them ran out of memory is told from the names and words of its errors.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from core.errors import EngineError
from workers.ml.catalog import BackboneSpec
from workers.ml.engines.interface import check_images

# TensorFlow's and PyTorch's classes; JAX has one class for everything, and older PyTorch and OpenVINO have none.
_OUT_OF_MEMORY_NAMES = frozenset({"ResourceExhaustedError", "OutOfMemoryError"})
_OUT_OF_MEMORY_WORDS = ("resource_exhausted", "out of memory", "bad_alloc")


def warn(event: str, **fields: object) -> None:
    """Log a warning where structlog is installed; benchmarks run engines where it is not."""
    try:
        import structlog  # noqa: PLC0415 - as above
    except ImportError:
        logging.getLogger(__name__).warning("%s %s", event, fields)
    else:
        structlog.get_logger(__name__).warning(event, **fields)


class BatchedEngine(ABC):
    """An engine that computes one batch at a time.

    Args:
        spec: which backbone it runs.
        batch_size: images per forward pass.
        num_turns: how many batches it computes at once.
    """

    def __init__(self, spec: BackboneSpec, *, batch_size: int, num_turns: int = 1) -> None:
        self._spec = spec
        self.batch_size = batch_size  # how many images one forward pass takes at most
        self.turns = threading.Semaphore(num_turns)
        # Called with a batch size that memory has made smaller, once it has proved itself.
        self.on_smaller: Callable[[int], None] | None = None

    @property
    @abstractmethod
    def num_bytes(self) -> int:
        """Memory that the weights take."""

    @property
    @abstractmethod
    def setup(self) -> str:
        """What the fastest batch size depends on besides the network: software, precision and hardware, in words."""

    @property
    def is_accelerated(self) -> bool:
        """Whether anything but a processor computes."""
        return False

    @property
    def has_one_shape(self) -> bool:
        """Whether every batch is filled up to the batch size, because each shape would be compiled anew."""
        return False

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute (N, F) float32 of (N, H, W, 3) uint8 RGB, as `interface.Engine` says.

        Where memory runs out, batches are smaller from then on.
        """
        check_images(images, self._spec)
        features = np.empty((len(images), self._spec.feature_size), np.float32)
        first, before = 0, self.batch_size
        while first < len(images):
            batch = images[first : first + self.batch_size]
            try:
                features[first : first + len(batch)] = self.run_batch(batch)
            except MemoryError as error:
                self._halve(len(batch), error)
            else:
                first += len(batch)
        if self.batch_size < before:
            warn("engine_out_of_memory", backbone=self._spec.name, before=before, batch_size=self.batch_size)
            if self.on_smaller is not None:
                self.on_smaller(self.batch_size)
        return features

    def run_batch(self, batch: np.ndarray) -> np.ndarray:
        """Compute the features of one batch of any size.

        Args:
            batch: (N, H, W, 3) uint8 RGB.

        Returns:
            (N, F) float32, good until the next call.

        Raises:
            MemoryError: memory ran out, of whatever computes.
        """
        try:
            return self._infer(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryError(f"{len(batch)} images of {self._spec.name} at once: {error}") from error

    @abstractmethod
    def _infer(self, batch: np.ndarray) -> np.ndarray:
        """Compute the features of a batch, failing as the software fails."""

    def _halve(self, num_images: int, error: MemoryError) -> None:
        too_many = self.batch_size if self.has_one_shape else num_images
        if too_many == 1:
            raise EngineError(
                f"There is not enough memory to run {self._spec.name} on one image ({error}). Expected room for its "
                "weights and one pass: end other programs on this device, or use a smaller network."
            ) from error
        # Of two batches that failed together neither is to halve what the other has halved already.
        self.batch_size = min(self.batch_size, too_many // 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of TensorFlow, PyTorch, JAX, OpenVINO or Python says that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    if any(kind.__name__ in _OUT_OF_MEMORY_NAMES for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _OUT_OF_MEMORY_WORDS)
