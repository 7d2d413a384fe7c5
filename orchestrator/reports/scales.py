"""Axes: from values to places in a drawing, and round numbers to write beside them. Knows no chart."""

import math
from dataclasses import dataclass

# Numbers of these leading digits are easy to read an axis by.
_ROUND_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float  # where, in units of the drawing
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to places. The places may run backwards, as they do for heights."""

    low: float
    high: float
    start: float  # the place of `low`
    end: float  # the place of `high`

    def place(self, value: float) -> float:
        """Where a value is drawn."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, step: float, template: str) -> tuple[Tick, ...]:
        """Marks at the multiples of a step, written with a format such as `{:.0%}`."""
        # A thousandth of a step is rounding, not a place beyond the end.
        first, last = math.ceil(self.low / step - 1e-3), math.floor(self.high / step + 1e-3)
        values = (number * step for number in range(first, last + 1))
        return tuple(Tick(self.place(value), template.format(value)) for value in values)


def round_step(span: float, num_steps: int) -> float:
    """The smallest round number that covers a span in at most so many steps."""
    magnitude = 10.0 ** math.floor(math.log10(span / num_steps))
    # The last is ten times the magnitude, which always covers it but for rounding.
    return next((digit * magnitude for digit in _ROUND_STEPS if digit * magnitude * num_steps >= span), 10 * magnitude)
