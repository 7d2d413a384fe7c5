"""A client of the HTTP API, for programs: `from orchestrator.client import Client`.

Answers are the same frozen values that the commands print with `--json`.
"""

from orchestrator.client.client import Client
from orchestrator.client.connection import ApiError, UnreachableError

__all__ = ["ApiError", "Client", "UnreachableError"]
