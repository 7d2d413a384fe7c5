"""Ending a worker in which an image hangs: a thread cannot be ended, a process can.

Only reading and decoding are watched. What else takes long (unpacking an archive up to an image, loading, training,
measuring batch sizes) is not, unless it keeps Python from running at all.
"""

import faulthandler
import sys
import threading
from collections.abc import Callable, Mapping

import numpy as np

from core.items import Locator, MemberLocator
from core.jobs import Claim
from core.preprocessing import PreprocessingContract
from workers.files import FileStamp
from workers.images.loading import Images

# How often is looked, at most.
INTERVAL_S = 1.0
# If Python itself does not get on for so long, a decoder keeps its lock, and no thread can do anything about it.
# Nothing that takes its time on purpose keeps the lock for minutes. A process that was stopped for so long ends too; it
# has no leases any more.
MAX_STANDSTILL_S = 300.0

# An image that is being worked on; only its identity counts.
_Entry = tuple[Claim]


class Watchdog:
    """Looks how long images are being read or decoded.

    Args:
        max_image_s: how long one may be.
        on_hang: what to do about one of a chunk that is for longer; called once, in a thread.
    """

    def __init__(self, max_image_s: float, on_hang: Callable[[Claim], None]) -> None:
        self.entries: dict[int, _Entry] = {}  # by thread
        self._on_hang = on_hang
        self._interval_s = min(INTERVAL_S, max_image_s / 4)
        self._max_looks = max_image_s / self._interval_s + 1
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._is_started = False

    def watched(self, images: Images, claim: Claim) -> Images:
        """The same images, watched on behalf of a chunk."""
        with self._lock:
            if not self._is_started:
                self._is_started = True
                threading.Thread(target=self._run, name="watchdog", daemon=True).start()
        return _WatchedImages(images, self.entries, claim)

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _run(self) -> None:
        # Looks are counted, not seconds: in a process that was stopped for an hour no image was decoded for an hour.
        num_looks: dict[int, tuple[_Entry, int]] = {}
        while not self._closed.wait(self._interval_s):
            # Put off with each look. It needs nothing of Python to end the process.
            faulthandler.dump_traceback_later(MAX_STANDSTILL_S, exit=True, file=_standard_error())
            for thread, entry in self.entries.copy().items():
                before, count = num_looks.get(thread, (entry, 0))
                num_looks[thread] = (entry, count + 1 if before is entry else 1)
                if num_looks[thread][1] > self._max_looks:
                    self._on_hang(entry[0])
                    return
        faulthandler.cancel_dump_traceback_later()


def _standard_error() -> int:
    try:
        return sys.stderr.fileno()
    except ValueError:
        return 2  # it is no file here, but in memory, or closed


class _WatchedImages(Images):
    """Says what each thread is on. Twice for each image, so that it has to be cheap."""

    def __init__(self, images: Images, entries: dict[int, _Entry], claim: Claim) -> None:
        self._images = images
        self._entries = entries
        self._claim = claim

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read it."""
        if isinstance(locator, MemberLocator):
            # What lies before it in a compressed archive is unpacked first, by one thread, and others wait for that.
            return self._images.read(locator)
        thread = threading.get_ident()
        self._entries[thread] = (self._claim,)
        try:
            return self._images.read(locator)
        finally:
            del self._entries[thread]

    def stamp(self, locator: Locator) -> FileStamp | None:
        """Look at it; that may hang as well, on a dead network share."""
        thread = threading.get_ident()
        self._entries[thread] = (self._claim,)
        try:
            return self._images.stamp(locator)
        finally:
            del self._entries[thread]

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode it."""
        thread = threading.get_ident()
        self._entries[thread] = (self._claim,)
        try:
            self._images.fill(data, slots)
        finally:
            del self._entries[thread]

    def close(self) -> None:
        """Leave it to whoever opened them."""
