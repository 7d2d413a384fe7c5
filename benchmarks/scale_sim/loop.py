"""Simulated time: events in their order, processes that wait, and queues in front of a few servers.

A process is a generator. It yields what it waits for: a function that gets `resume` and calls it one day, with what the
process is to be told.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator
from itertools import count
from typing import Any

Resume = Callable[[Any], None]
Request = Callable[[Resume], None]
Process = Generator[Request, Any, None]


class Loop:
    """Events, the next one first; of two in the same moment the one that was asked for first."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Have something happen in so many seconds."""
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._order), act))

    def wait(self, delay_s: float) -> Request:
        """For a process: go on in so many seconds."""
        return lambda resume: self.after(delay_s, lambda: resume(None))

    def run(self, *, until: Callable[[], bool], max_s: float) -> None:
        """Let things happen until something holds, nothing is left to happen, or it takes too long."""
        while self._events and not until() and self.now_s <= max_s:
            self.now_s, _, act = heapq.heappop(self._events)
            act()


class Station:
    """A few servers and one queue before them, first come first served.

    Args:
        loop: whose time it lives in.
        num_servers: how many are served at once.
    """

    def __init__(self, loop: Loop, num_servers: int) -> None:
        self._loop = loop
        self._num_servers = num_servers
        self._num_busy = 0
        self._queue: deque[Callable[[], None]] = deque()
        self._busy_s = 0.0  # of all servers together, until `_noted_at_s`
        self._noted_at_s = 0.0

    def enter(self, act: Callable[[], None]) -> None:
        """Call `act` as soon as a server is free; it is its until `leave`."""
        if self._num_busy < self._num_servers:
            self._note(1)
            act()
        else:
            self._queue.append(act)

    def leave(self) -> None:
        """Hand the server to the next one."""
        if self._queue:
            self._queue.popleft()()
        else:
            self._note(-1)

    def busy_s(self) -> float:
        """How long servers were busy so far, all together."""
        self._note(0)
        return self._busy_s

    def _note(self, change: int) -> None:
        self._busy_s += self._num_busy * (self._loop.now_s - self._noted_at_s)
        self._noted_at_s = self._loop.now_s
        self._num_busy += change
