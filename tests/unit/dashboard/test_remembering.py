"""What is looked up once for all who look."""

from collections.abc import Iterator
from itertools import count

from orchestrator.dashboard.remembering import MIN_AGE_S, REST, Remembered


class Clock:
    """A clock that goes on when it is told to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def remembered(clock: Clock, *, takes_s: float = 0.0) -> Remembered[int]:
    numbers: Iterator[int] = count()

    def look() -> int:
        clock.now_s += takes_s
        return next(numbers)

    return Remembered(look, clock=clock)


def test_who_looks_soon_after_another_gets_the_same():
    clock = Clock()
    value = remembered(clock)
    assert [value.get(), value.get()] == [0, 0]
    clock.now_s += MIN_AGE_S
    assert [value.get(), value.get()] == [1, 1]


def test_what_takes_long_is_looked_up_less_often():
    clock = Clock()
    value = remembered(clock, takes_s=2.0)
    assert value.get() == 0
    clock.now_s += 2.0 * REST - 0.1
    assert value.get() == 0
    clock.now_s += 0.1
    assert value.get() == 1
