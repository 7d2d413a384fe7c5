"""How fast a job goes just now, and what that says of its end."""

import time
from collections import deque

from orchestrator.times import duration

# Speed is what was measured over this long; shorter jumps about, longer lags behind.
SPEED_WINDOW_S = 20.0


class Speed:
    """Images per second over the last while, and the time left that follows from it."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, num_images: int) -> None:
        """So many images have been processed by now."""
        now_s = time.monotonic()
        if not num_images:
            return  # loading a model is no measure of speed
        self._seen.append((now_s, num_images))
        while now_s - self._seen[0][0] > SPEED_WINDOW_S:
            self._seen.popleft()

    @property
    def images_per_s(self) -> float:
        """The speed; 0 until there is one."""
        if not self._seen:
            return 0.0
        (from_s, first), (to_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (to_s - from_s) if to_s > from_s else 0.0

    def time_left(self, num_left: int, *, is_planned: bool) -> str:
        """For people. Says nothing while it is not known how many images there are."""
        if not is_planned or not self.images_per_s:
            return "?"
        return duration(num_left / self.images_per_s)

    def say(self) -> str:
        """The speed for people; empty until two looks tell one."""
        return f"{self.images_per_s:.1f} images/s" if self.images_per_s else ""

    def say_left(self, num_left: int, *, is_planned: bool) -> str:
        """The time left in words; empty where nothing is left."""
        if is_planned and not num_left:
            return ""
        return f"{self.time_left(num_left, is_planned=is_planned)} left"
