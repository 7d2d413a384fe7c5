"""Random reads in a stream that can only be read forwards.

Decode threads ask for the members of a compressed archive nearly in order. A window over what was last decompressed
answers those that come a little late; starting again for each of them would decompress the archive once per image.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import IO

WINDOW_NUM_BYTES = 64 * 1024**2
_BLOCK_NUM_BYTES = 1024**2

StreamOpener = Callable[[], AbstractContextManager[IO[bytes]]]


class StreamWindow:
    """The last part of a stream. Not safe to share between threads without a lock.

    Args:
        open_stream: opens the stream at its start, until its block is left.
        num_bytes: how much to keep.
    """

    def __init__(
        self, open_stream: Callable[[], AbstractContextManager[IO[bytes]]], *, num_bytes: int = WINDOW_NUM_BYTES
    ) -> None:
        self.num_starts = 0
        self._open_stream = open_stream
        self._num_bytes = num_bytes
        self._opened = ExitStack()
        self._stream: IO[bytes] | None = None
        self._start = 0
        self._kept = bytearray()

    def can_reach(self, offset: int) -> bool:
        """Whether a place can be read without starting again."""
        return self._stream is not None and offset >= self._start

    @property
    def start(self) -> int:
        """The first byte that is kept."""
        return self._start

    def read(self, offset: int, num_bytes: int) -> bytes:
        """Read at any place; fewer bytes where the stream ends."""
        if self._stream is None or offset < self._start:
            self.close()
            self._stream = self._opened.enter_context(self._open_stream())
            self.num_starts += 1
        # No further than asked for: what lies before a damaged place can still be read.
        while (num_missing := offset + num_bytes - self._end) > 0:
            block = self._stream.read(min(num_missing, _BLOCK_NUM_BYTES))
            if not block:
                break
            self._kept += block
            surplus = min(len(self._kept) - self._num_bytes, offset - self._start)
            if surplus > 0:
                del self._kept[:surplus]
                self._start += surplus
        first = offset - self._start
        return bytes(self._kept[first : first + num_bytes])

    def close(self) -> None:
        """Let go of the stream; the next read starts again."""
        self._stream, self._start, self._kept = None, 0, bytearray()
        self._opened.close()

    @property
    def _end(self) -> int:
        return self._start + len(self._kept)
