"""A process that reads and decodes images for another one, and may die over any of them.

Run as `python -m workers.images.child`. It has no database, no broker and no network. The kernel ends it where an image
takes longer than it may, whatever the decoder holds on to, and refuses it more memory than an image can need.
"""

import os
import resource
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.items import locator_from_text
from core.settings import Settings
from core.types import Reason
from workers.answering import Answer, connect, serve
from workers.images.frames import contracts_from_json
from workers.images.loading import ImageLoader, build_image_loader
from workers.ml.opencv import import_opencv

# What one pixel may take: the widest are four floats, of which a few copies exist while they become 8 bits.
_MAX_PIXEL_BYTES = 80
# A file is there as it was read, as it was sent, and once more inside of a decoder.
_MAX_FILE_COPIES = 3
# Tables of decoders, and what the allocator does not give back.
_SPARE_BYTES = 128 * 1024**2

_OUT_OF_MEMORY = (
    "Decoding it took more than the {} MB that an image within the limits can need. It may be malicious; save it again "
    "from its origin, or raise LABELYARD_MAX_IMAGE_PIXELS, then `labelyard jobs retry`."
)


def main() -> None:
    """Answer until the other side is gone."""
    connection = connect(__doc__)
    settings = Settings()
    import_opencv(settings.max_image_pixels)
    images = build_image_loader(settings)
    max_memory_bytes = memory_limit(settings)
    _limit_memory(max_memory_bytes)
    serve(connection, partial(_answer, images, max_memory_bytes))


def memory_limit(settings: Settings) -> int:
    """How many bytes an image within the limits can need to be decoded."""
    return settings.max_image_pixels * _MAX_PIXEL_BYTES + settings.max_image_bytes * _MAX_FILE_COPIES + _SPARE_BYTES


def _answer(images: ImageLoader, max_memory_bytes: int, request: dict[str, Any], parts: Sequence[bytes]) -> Answer:
    try:
        match request["do"]:
            case "read":
                return _read(images, request)
            case "fill":
                return _fill(images, request, parts[0])
            case "view":
                return _view(images, request)
            case "stamp":
                return {"stamp": images.place_stamp(locator_from_text(request["locator"]))}, ()
            case unknown:
                raise ValueError(f"This process cannot {unknown!r}.")
    except InputError as error:
        return {"reason": error.reason, "detail": error.detail}, ()
    except MemoryError:
        return {"reason": Reason.OUT_OF_MEMORY, "detail": _OUT_OF_MEMORY.format(max_memory_bytes // 1_000_000)}, ()


def _read(images: ImageLoader, request: dict[str, Any]) -> Answer:
    read = images.read(locator_from_text(request["locator"]))
    if isinstance(read, np.ndarray):
        return {"shape": read.shape}, [np.ascontiguousarray(read)]
    return {"shape": None}, [read]


def _fill(images: ImageLoader, request: dict[str, Any], data: bytes) -> Answer:
    contracts = contracts_from_json(request["contracts"])
    slots = {contract: np.empty((*contract.size_hw, 3), np.uint8) for contract in contracts}
    images.fill(data, slots)
    return {}, list(slots.values())


def _view(images: ImageLoader, request: dict[str, Any]) -> Answer:
    contracts = contracts_from_json(request["contracts"])
    view = images.view(locator_from_text(request["locator"]), request["longest"], contracts)
    header = {"size_hw": view.image_rgb.shape[:2], "full_hw": view.full_hw}
    return header, [view.image_rgb, *view.inputs.values()]


def _limit_memory(max_bytes: int) -> None:
    """Bound what is taken from now on, and be the first to go where the machine itself runs out of memory."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
        num_pages = int(Path("/proc/self/statm").read_text().split()[0])
        max_bytes += num_pages * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
