"""What many look at again and again is looked up once for all of them."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

MIN_AGE_S = 1.0
# What takes long is looked up less often, so that looking takes at most a tenth of the time of one connection.
REST = 10.0


class Remembered(Generic[Value]):
    """A value that is good for a while.

    Args:
        look: looks it up.
        clock: seconds that never go back.
    """

    def __init__(self, look: Callable[[], Value], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._values: list[Value] = []  # none before the first look
        self._good_until_s = 0.0

    def get(self) -> Value:
        """The value, not much older than it has to be."""
        with self._lock:
            began_at_s = self._clock()
            if not self._values or began_at_s >= self._good_until_s:
                self._values = [self._look()]
                now_s = self._clock()
                self._good_until_s = now_s + max(MIN_AGE_S, REST * (now_s - began_at_s))
            return self._values[0]
