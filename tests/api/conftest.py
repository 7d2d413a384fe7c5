"""Fixtures of the HTTP API's tests: the real server on a port of its own, and a client that speaks HTTP to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from colours import ColourWorker, paint_red_and_green, train
from state_folder import find_or_make_keras_home

from core.settings import Settings
from core.types import Scope
from db.database import Database
from orchestrator.serving.web import WebServer
from orchestrator.tokens import make_token
from workers.waking import NullWaker

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def keras_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras cache with weights, which a server without a broker looks for before it accepts a job."""
    return find_or_make_keras_home(tmp_path_factory.mktemp("keras"))


@pytest.fixture
def settings(tmp_path: Path, database_url: str, keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a server that may read what the test made; from the environment, for children that it starts."""
    given = {"HOME": tmp_path / "state", "DATABASE_URL": database_url, "SOURCE_ROOTS": tmp_path, "MIN_FREE_BYTES": 0}
    for name, value in given.items():
        monkeypatch.setenv(f"LABELYARD_{name}", str(value))
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    return Settings()


@pytest.fixture
def serve(ledger: Database, settings: Settings) -> Iterator[Serve]:
    """Starts servers, and makes clients for them."""
    servers: list[WebServer] = []
    clients: list[httpx.Client] = []

    def start(address: str = "127.0.0.1:0", **changes: object) -> httpx.Client:
        server = WebServer.open(ledger, settings.model_copy(update=changes), NullWaker(), address)
        server.start()
        servers.append(server)
        port = server.url.rpartition(":")[2]
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


@pytest.fixture
def api(serve: Serve) -> httpx.Client:
    """A client of a server that only this machine can ask, so that nobody needs a token."""
    return serve()


@pytest.fixture
def token(ledger: Database) -> Callable[..., str]:
    """Makes tokens."""

    def make(scope: Scope = Scope.ADMIN, *, lasts_s: float | None = None) -> str:
        with ledger.write() as session:
            return make_token(session, "tester", scope, lasts_s=lasts_s)[0]

    return make


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> ColourWorker:
    """A worker that has trained the model `colours`."""
    worker = ColourWorker(ledger)
    train(ledger, worker, paint_red_and_green(tmp_path / "photographs", num_train=6, num_val=4), "colours")
    return worker


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of eight pictures, the half of them red."""
    return paint_red_and_green(tmp_path / "new", num_train=1, num_val=3)
