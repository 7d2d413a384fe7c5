"""What several sides need besides the program itself: servers of their own, and a worker that stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks import labelyard, places

MAX_STOP_S = 120.0


@contextmanager
def fresh_servers() -> Iterator[tuple[dict[str, str], str]]:
    """An environment with a Redis and a PostgreSQL of its own, the tables made, and the database's URL."""
    sys.path.insert(0, str(places.ROOT / "tests"))
    from servers import PostgresServer, RedisServer, database  # noqa: PLC0415 - only where they are needed

    with (
        labelyard.fresh_home() as home,
        RedisServer() as redis,
        PostgresServer() as postgres,
        database(postgres.url, "bench") as url,
    ):
        env = home | {"LABELYARD_BROKER_URL": redis.url, "LABELYARD_DATABASE_URL": url}
        labelyard.upgrade(env)
        yield env, url


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL of its own."""
    sys.path.insert(0, str(places.ROOT / "tests"))
    from servers import PostgresServer, database  # noqa: PLC0415 - only where they are needed

    with PostgresServer() as postgres, database(postgres.url, "bench") as url:
        yield url


@contextmanager
def running_worker(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is told to stop at the end, and made to if it does not."""
    with subprocess.Popen(  # noqa: S603 - our own
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(MAX_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
