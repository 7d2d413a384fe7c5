"""Reading, decoding and resizing images in this process, and what that looks like to those who need images."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import numpy as np

from core.items import Locator
from core.preprocessing import PreprocessingContract
from core.settings import Settings
from workers.access import Access
from workers.files import FileStamp
from workers.images.views import View, make_view, square
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits
from workers.ml.resizing import prepare
from workers.reading import ItemReader


class Images(ABC):
    """From a locator to pixels that a network takes. Threads may share it."""

    @abstractmethod
    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read an image's bytes, or an item of an array, (H, W, 3) uint8 RGB.

        Raises:
            InputError: it cannot be read.
        """

    @abstractmethod
    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode what `read` returned once, and write it into each slot, (H, W, 3) uint8 RGB, as its contract says.

        Raises:
            InputError: it is no image, damaged, or too large.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""

    def stamp(self, locator: Locator) -> FileStamp | None:
        """What a file is told by from what it was or will be; None: nothing tells, and it has to be read.

        Raises:
            InputError: it is not there, or may not be read.
        """
        del locator
        return None

    def prepare(
        self, locator: Locator, contracts: Collection[PreprocessingContract]
    ) -> dict[PreprocessingContract, np.ndarray]:
        """Read and decode an image once, and resize it as each contract asks.

        Returns:
            One (H, W, 3) uint8 RGB array per contract.

        Raises:
            InputError: the image cannot be read or decoded.
        """
        slots = {contract: np.empty((*contract.size_hw, 3), np.uint8) for contract in contracts}
        self.fill(self.read(locator), slots)
        return slots


class ImageLoader(Images):
    """Images in this process.

    Args:
        reader: gets the bytes.
        decoder: makes pixels of them.
    """

    def __init__(self, reader: ItemReader, decoder: Decoder) -> None:
        self._reader = reader
        self._decoder = decoder

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read it."""
        return self._reader.read(locator)

    def stamp(self, locator: Locator) -> FileStamp | None:
        """Ask the file system."""
        return self._reader.stamp(locator)

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode it."""
        picture = self._decoder.decode_for(data, slots.keys())
        for contract, slot in slots.items():
            prepare(picture, contract, slot)

    def view(self, locator: Locator, longest: int, contracts: Collection[PreprocessingContract] = ()) -> View:
        """Read and decode an image for somebody to look at.

        Args:
            locator: where it is.
            longest: its longer side in the view, in pixels, at the most.
            contracts: of networks whose inputs are to come with it.

        Raises:
            InputError: the image cannot be read or decoded.
        """
        picture = self._decoder.decode_for(self._reader.read(locator), [square(longest), *contracts])
        return make_view(picture, longest, contracts)

    def place_stamp(self, locator: Locator) -> str | None:
        """What changes with the local file that an image is in; None: it is elsewhere, and nothing tells.

        Raises:
            InputError: the file is not there, or may not be read.
        """
        stamp = self._reader.place_stamp(locator)
        return None if stamp is None else stamp.text

    def close(self) -> None:
        """Let go of open archives."""
        self._reader.close()


def build_image_loader(settings: Settings) -> ImageLoader:
    """Make what reads and decodes images, within the limits that are set."""
    limits = ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    return ImageLoader(ItemReader(limits, Access.of(settings)), Decoder(limits))
