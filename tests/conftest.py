"""Fixtures: real servers, a fresh database for each test, the photographs.

A server that this machine lacks skips the tests that need it, and says so; under CI it fails them, because a suite that
skips in silence proves nothing.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import giving_up
import pytest
from server_process import ServerMissingError
from servers import ExternalPostgres, ExternalRedis, PostgresServer, RedisServer, database

from db.database import Database
from db.schema import upgrade

AnyServer = TypeVar("AnyServer", RedisServer, PostgresServer)


def prepare_template(url: str) -> None:
    """Bring the empty database behind `url` to what every PostgreSQL test starts from, and leave no connection open."""
    ledger = Database(url)
    upgrade(ledger)
    ledger.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer | ExternalRedis]:
    """The Redis that tests share; one that stops or kills it takes `own_redis_server` instead."""
    with ExitStack() as stack:
        server: RedisServer | ExternalRedis
        try:
            server = stack.enter_context(RedisServer())
        except ServerMissingError as error:
            server = ExternalRedis(_external_url("LABELYARD_TEST_REDIS_URL", error))
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer | ExternalPostgres]:
    """The PostgreSQL that tests share; one that stops or kills it takes `own_postgres_server` instead."""
    with ExitStack() as stack:
        server: PostgresServer | ExternalPostgres
        try:
            server = stack.enter_context(PostgresServer())
        except ServerMissingError as error:
            server = ExternalPostgres(_external_url("LABELYARD_TEST_DATABASE_URL", error))
        yield server


@pytest.fixture
def make_server() -> Callable[..., Any]:
    """Makes a server for one test: `with make_server(RedisServer, options={"appendonly": "yes"}) as server`."""
    return _make_server


@pytest.fixture(scope="session")
def give_up() -> Callable[[str], NoReturn]:
    """Ends a test for want of a server: skips it and says why; under CI fails it."""
    return giving_up.give_up


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A Redis for one test alone, which may stop, kill and restart it."""
    with _make_server(RedisServer) as server:
        yield server


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for one test alone, which may stop, kill and restart it."""
    with _make_server(PostgresServer) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer | ExternalRedis) -> str:
    """An empty logical database of a real Redis."""
    return redis_server.fresh_url()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer | ExternalPostgres) -> Iterator[str]:
    """The name of a prepared database that each test's own is copied from, which is far quicker than preparing it."""
    name = f"labelyard_template_{secrets.token_hex(4)}"
    with database(postgres_server.url, name) as url:
        prepare_template(url)
        yield name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer | ExternalPostgres, postgres_template: str) -> Iterator[str]:
    """A fresh prepared database of a real PostgreSQL, as a SQLAlchemy URL."""
    with database(postgres_server.url, f"labelyard_test_{secrets.token_hex(4)}", template=postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger on each kind of database in turn: the same test holds for both."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    url = f"sqlite:///{tmp_path / 'labelyard.db'}"
    prepare_template(url)
    return url


@pytest.fixture
def ledger(database_url: str) -> Iterator[Database]:
    """A connected empty ledger on each kind of database in turn."""
    ledger = Database(database_url)
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with the photographs and the weights; see CONTRIBUTING.md."""
    if not os.environ.get("LABELYARD_TEST_DATA"):
        pytest.skip("LABELYARD_TEST_DATA is not set: no photographs to test with")
    return Path(os.environ["LABELYARD_TEST_DATA"])


def _make_server(kind: type[AnyServer], **options: Any) -> AnyServer:
    try:
        return kind(**options)
    except ServerMissingError as error:
        giving_up.give_up(str(error))


def _external_url(variable: str, error: ServerMissingError) -> str:
    return os.environ.get(variable) or giving_up.give_up(f"{error} {variable} is not set either.")
