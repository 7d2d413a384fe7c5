"""What worker processes call themselves. Light, because supervisors import it too."""

import os
import socket


def default_worker_id() -> str:
    """This host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"
