"""Where a server listens, as people write it: `HOST:PORT`. Knows nothing of what is served there."""

import re
from typing import NamedTuple

MAX_PORT = 65_535
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")


class Address(NamedTuple):
    """A host and a port of it."""

    host: str
    port: int

    def __str__(self) -> str:
        """The way it is written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read an address.

    Args:
        text: `HOST:PORT`, where an IPv6 host stands in brackets.

    Raises:
        ValueError: it cannot be read.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) <= MAX_PORT:
        raise ValueError(f"Expected HOST:PORT with a port from 1 to {MAX_PORT}, such as 127.0.0.1:9464 or [::1]:9464")
    return Address(found["six"] or found["host"], int(found["port"]))
