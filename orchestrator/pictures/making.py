"""Pictures of a job's images for those who look at them, made in processes that may die over an image, and kept.

A picture is known by where its image is, by what tells that the file there has changed, and by how it was asked for.
"""

import hashlib
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from core.items import Locator, locator_to_text
from core.settings import Settings
from orchestrator.pictures.kept_files import KeptFiles
from workers.images.isolation import IsolatedImages
from workers.images.suspicion import isolated_images

if TYPE_CHECKING:
    import numpy as np

# Counts up when the same request leads to another picture.
FORMAT = 1
CACHE_FOLDER = "pictures"  # below the state folder
MAX_KEPT_BYTES = 512 * 1024**2
# Images that are decoded at the same time; each process takes 81 MB (ADR 0020).
NUM_PROCESSES = 2
# A process that nobody needed for so long gives its memory back.
MAX_IDLE_S = 300.0
# Nothing tells whether what is elsewhere has changed, so it is taken to be the same for so long.
REMOTE_LASTS_S = 3600.0
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Made:
    """A picture."""

    key: str  # the same as long as the picture is
    data: bytes | None  # None: whoever asks has it already


class PictureMaker:
    """Makes pictures; `close` ends its processes. Threads may share it.

    Args:
        images: reads and decodes.
        kept: what was made before.
    """

    def __init__(self, images: IsolatedImages, kept: KeptFiles) -> None:
        self._images = images
        self._kept = kept

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """One within the limits that are set. No process is started before it is needed."""
        images = isolated_images(settings, num_processes=NUM_PROCESSES, max_idle_s=MAX_IDLE_S)
        folder = settings.home.expanduser().resolve() / CACHE_FOLDER
        return cls(images, KeptFiles(folder, max_bytes=MAX_KEPT_BYTES))

    @property
    def images(self) -> IsolatedImages:
        """What reads and decodes."""
        return self._images

    def thumbnail(self, locator: Locator, longest: int, *, known: Collection[str] = ()) -> Made:
        """The image, small, as a JPEG.

        Args:
            locator: where it is.
            longest: its longer side, in pixels, at the most.
            known: keys of pictures that whoever asks has.

        Raises:
            InputError: the image cannot be read or decoded.
        """

        def make() -> bytes:
            return _to_jpeg(self._images.view(locator, longest).image_rgb)

        return self.make(locator, ["thumbnail", longest], make, known=known)

    def make(
        self, locator: Locator, asked: list[object], make: Callable[[], bytes], *, known: Collection[str] = ()
    ) -> Made:
        """A picture: not at all if it is known, as it was kept, or made and kept.

        Args:
            locator: where its image is.
            asked: plain values: everything else that it depends on.
            make: makes it.
            known: keys of pictures that whoever asks has.

        Raises:
            InputError: the image may not be read, or is not there any more.
            Exception: whatever `make` raises.
        """
        # Kept or not, it is shown only where the image may be read now.
        stamp = self._images.place_stamp(locator) or int(time.time() // REMOTE_LASTS_S)
        text = json.dumps([FORMAT, locator_to_text(locator), stamp, *asked])
        key = hashlib.sha256(text.encode()).hexdigest()[:40]
        if key in known:
            return Made(key, None)
        data = self._kept.get(key)
        if data is None:
            data = make()
            self._kept.put(key, data)
        return Made(key, data)

    def close(self) -> None:
        """End the processes."""
        self._images.close()


def _to_jpeg(image_rgb: "np.ndarray") -> bytes:
    import cv2  # noqa: PLC0415 - only who asks for pictures waits for it

    _, encoded = cv2.imencode(".jpg", image_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
