"""Comparing two numbers by a sign, and showing them so that the outcome can be seen."""

import operator

_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq}
# Figures are sums of many shares; what differs by less is the same.
_ROUNDING = 1e-9
_MAX_DIGITS = 9


def is_so(left: float, sign: str, right: float) -> bool:
    """Whether a comparison holds; numbers that differ by rounding alone are equal."""
    return bool(_SIGNS[sign](0.0 if abs(left - right) < _ROUNDING else left - right, 0.0))


def digits_to_tell(left: float, right: float, *, at_least: int) -> int:
    """How many decimals it takes to see that two numbers differ; of equal ones, `at_least`."""
    if is_so(left, "==", right):
        return at_least
    return next(
        (digits for digits in range(at_least, _MAX_DIGITS) if f"{left:.{digits}f}" != f"{right:.{digits}f}"),
        _MAX_DIGITS,
    )
