"""Comparing two numbers by a sign."""

import operator

_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq}
# Figures are sums of many shares; what differs by less is the same.
_ROUNDING = 1e-9


def is_so(left: float, sign: str, right: float) -> bool:
    """Whether a comparison holds; numbers that differ by rounding alone are equal."""
    return bool(_SIGNS[sign](0.0 if abs(left - right) < _ROUNDING else left - right, 0.0))
