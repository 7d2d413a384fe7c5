"""Ages and sizes as people type them."""

import re
from collections.abc import Mapping

_AGES_S = {"h": 3600, "d": 86400, "w": 7 * 86400}
_SIZES = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


def parse_age(text: str, option: str) -> float:
    """Seconds from 12h, 30d, 8w.

    Raises:
        UsageError: it is none of these.
    """
    return _parse(text, _AGES_S, option)


def parse_size(text: str, option: str) -> int:
    """Bytes from 500MB, 20GB, 1TB.

    Raises:
        UsageError: it is none of these.
    """
    return int(_parse(text, _SIZES, option))


def _parse(text: str, units: Mapping[str, int], option: str) -> float:
    from core.errors import UsageError

    match = re.fullmatch(rf"(\d+(?:\.\d+)?)({'|'.join(units)})", text)
    if match is None:
        example = ", ".join(f"30{unit}" for unit in units)
        raise UsageError(f"{option}: received {text!r}. Expected a number with its unit: {example}.")
    return float(match[1]) * units[match[2]]
