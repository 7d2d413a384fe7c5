"""What goes over the pipe between a process that needs images and one that may die over them.

Plain JSON and bytes, never pickle: a decoder that was taken over must not be able to make its parent run anything.
"""

import json
from collections.abc import Collection, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from core.preprocessing import PreprocessingContract
from core.types import ResizeMode

# No header is as long as this; a locator holds one path, an error one sentence.
_MAX_HEADER_BYTES = 1024**2


def send(connection: Connection, header: dict[str, Any], parts: Sequence[bytes | np.ndarray] = ()) -> None:
    """Send a header, and bytes or contiguous uint8 arrays after it."""
    connection.send_bytes(json.dumps(header).encode())
    for part in parts:
        connection.send_bytes(part.reshape(-1).data if isinstance(part, np.ndarray) else part)


def receive_header(connection: Connection) -> dict[str, Any]:
    """Receive a header.

    Raises:
        EOFError: the other side is gone.
    """
    header: dict[str, Any] = json.loads(connection.recv_bytes(_MAX_HEADER_BYTES))
    return header


def contracts_to_json(contracts: Collection[PreprocessingContract]) -> list[Any]:
    """Plain values of contracts."""
    return [[contract.size_hw, contract.resize] for contract in contracts]


def contracts_from_json(values: list[Any]) -> list[PreprocessingContract]:
    """Read what `contracts_to_json` made."""
    return [PreprocessingContract((height, width), ResizeMode(resize)) for (height, width), resize in values]
