"""The HTTP server as a service of the orchestrator: uvicorn in a thread of its own."""

import ipaddress
import re
import socket
import threading
from typing import Self

import structlog
import uvicorn

from core.errors import SetupError, UsageError
from core.settings import Settings
from db.database import Database
from orchestrator.api.app import create_app
from orchestrator.api.backend import Backend
from orchestrator.api.routes.pictures import Pictures
from orchestrator.metrics.registry import OrchestratorMetrics
from workers.waking import Waker

logger = structlog.get_logger(__name__)

# How long requests that are being answered may take when the server stops; those who follow a job are cut off.
STOP_TIMEOUT_S = 3
MAX_CONNECTIONS = 512
# How long a request waits for a database that is away before its client is told to come again. Requests have threads,
# and there are not enough of them to wait for a failover.
PATIENCE_S = 3.0
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})")


class WebServer:
    """Answers HTTP from `start` to `stop`.

    Args:
        server: uvicorn's.
        listener: where it listens already, so that whoever starts it knows that it can.
        pictures: what has processes of its own, which end with it.
        database: what only requests use; its connections end with it.
    """

    def __init__(self, server: uvicorn.Server, listener: socket.socket, pictures: Pictures, database: Database) -> None:
        self._server = server
        self._listener = listener
        self._pictures = pictures
        self._database = database
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @classmethod
    def open(
        cls,
        database: Database,
        settings: Settings,
        waker: Waker,
        address: str,
        *,
        metrics: OrchestratorMetrics | None = None,
    ) -> Self:
        """Listen, and answer once it is started.

        Args:
            database: the ledger.
            settings: what may be read, how much may be sent.
            waker: who wakes workers.
            address: `HOST:PORT`.
            metrics: what Prometheus is shown; None: nothing is.

        Raises:
            UsageError: the address cannot be read, or others reach it who could have any file of this machine read.
            SetupError: something else listens there.
        """
        listener = _listen(*read_address(address))
        try:
            is_local = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
            if not is_local:
                _require_roots(settings, address)
            # However many ask, and however slowly they read, what else this process does has its own connections.
            own = database.for_those_who_wait(PATIENCE_S)
            app = create_app(Backend(own, settings, waker, asks_for_tokens=not is_local), metrics=metrics)
        except BaseException:
            listener.close()
            raise
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
            limit_concurrency=MAX_CONNECTIONS,
        )
        return cls(uvicorn.Server(config), listener, app.state.pictures, own)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is being asked, and no more."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self._pictures.close()
        self._database.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def read_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`.

    Raises:
        UsageError: it is none.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:  # noqa: PLR2004 - the largest port there is
        raise UsageError(f"Received {text!r} as an address to listen on. Expected HOST:PORT, such as 127.0.0.1:8600.")
    return match["ipv6"] or match["host"], int(match["port"])


def _require_roots(settings: Settings, address: str) -> None:
    if not settings.source_roots:
        raise UsageError(
            f"{address} can be reached from other machines, and LABELYARD_SOURCE_ROOTS is empty: whoever has a token "
            "could have any file of this machine read. Set it to the folders and addresses that jobs may read, or "
            "listen on 127.0.0.1."
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"{host} is no address of this machine: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise SetupError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Stop what listens there, or choose another "
            "address: --listen HOST:PORT."
        ) from error
    return listener
