"""A process that reads and decodes images for another one, and may die over any of them.

Run as `python -m workers.images.child`. It has no database, no broker and no network. The kernel ends it where an image
takes longer than it may, whatever the decoder holds on to, and refuses it more memory than an image can need.
"""

import argparse
import os
import resource
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.items import locator_from_text
from core.settings import Settings
from core.types import Reason
from workers.images.frames import contracts_from_json, receive_header, send
from workers.images.loading import Images, build_image_loader
from workers.ml.opencv import import_opencv
from workers.streams import redirect_native_output

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
    parser = argparse.ArgumentParser(prog="python -m workers.images.child", description=__doc__)
    parser.add_argument("descriptor", type=int, help="of the connection")
    connection = Connection(parser.parse_args().descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    redirect_native_output()
    settings = Settings()
    import_opencv(settings.max_image_pixels)
    images = build_image_loader(settings)
    max_memory_bytes = memory_limit(settings)
    _limit_memory(max_memory_bytes)
    send(connection, {"is_ready": True})
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            _serve(connection, images, max_memory_bytes=max_memory_bytes)


def memory_limit(settings: Settings) -> int:
    """How many bytes an image within the limits can need to be decoded."""
    return settings.max_image_pixels * _MAX_PIXEL_BYTES + settings.max_image_bytes * _MAX_FILE_COPIES + _SPARE_BYTES


def _serve(connection: Connection, images: Images, *, max_memory_bytes: int) -> None:
    answer: dict[str, Any]
    request = receive_header(connection)
    data = connection.recv_bytes() if "contracts" in request else None
    # Not a handler of Python's: the kernel ends the process, also where C code never comes back.
    signal.setitimer(signal.ITIMER_REAL, request["max_s"])
    try:
        if data is None:
            read = images.read(locator_from_text(request["locator"]))
            shape = read.shape if isinstance(read, np.ndarray) else None
            parts = [np.ascontiguousarray(read) if isinstance(read, np.ndarray) else read]
        else:
            slots = {
                contract: np.empty((*contract.size_hw, 3), np.uint8)
                for contract in contracts_from_json(request["contracts"])
            }
            images.fill(data, slots)
            shape, parts = None, list(slots.values())
    except InputError as error:
        answer = {"reason": error.reason, "detail": error.detail}
        parts = []
    except MemoryError:
        answer = {"reason": Reason.OUT_OF_MEMORY, "detail": _OUT_OF_MEMORY.format(max_memory_bytes // 1_000_000)}
        parts = []
    else:
        answer = {"shape": shape}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    send(connection, answer, parts)


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
