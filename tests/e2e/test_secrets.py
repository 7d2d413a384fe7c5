"""Passwords are in no output, log, traceback, table or command line, however things fail."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from program import MODEL, Cli, kill_with_children, wait_for
from servers import RedisServer
from sqlalchemy import create_engine, make_url, text

from core.queues import LABEL_CHUNK_TASK
from core.settings import Settings
from workers.app import create_app

# With characters that mean something in URLs; each part of them would be a hint.
DATABASE_PASSWORD = "data%b@se/pw:1"
BROKER_PASSWORD = "br0ker@pw/2#%"
SECRETS = [
    form
    for password in (DATABASE_PASSWORD, BROKER_PASSWORD)
    for form in (password, quote(password, safe=""), quote(password), repr(password)[1:-1])
]
ROLE = "secrets_worker"


@pytest.fixture
def guarded(cluster: Cli, make_server: Callable[..., RedisServer]) -> Iterator[tuple[Cli, RedisServer]]:
    """The program with servers whose passwords are to be kept."""
    url = make_url(cluster.env["LABELYARD_DATABASE_URL"])
    owner = create_engine(url)
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{DATABASE_PASSWORD}'"))
    with make_server(RedisServer, options={"requirepass": f'"{BROKER_PASSWORD}"'}) as server:
        server.password = BROKER_PASSWORD
        own = url.set(username=ROLE, password=DATABASE_PASSWORD).render_as_string(hide_password=False)
        broker = f"redis://:{quote(BROKER_PASSWORD, safe='')}@127.0.0.1:{server.port}/0"
        cluster.env |= {"LABELYARD_DATABASE_URL": own, "LABELYARD_BROKER_URL": broker, "LABELYARD_LOG_LEVEL": "DEBUG"}
        yield cluster, server
        cluster.close()
    with owner.begin() as connection:
        connection.execute(text(f"REASSIGN OWNED BY {ROLE} TO labelyard"))
        connection.execute(text(f"DROP ROLE {ROLE}"))
    owner.dispose()


@pytest.fixture
def make_server(make_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch) -> Callable[..., RedisServer]:
    """A server that is asked with the password of this test, percent-encoded as a URL wants it."""
    monkeypatch.setattr(
        RedisServer, "url", property(lambda self: f"redis://:{quote(BROKER_PASSWORD, safe='')}@127.0.0.1:{self.port}/0")
    )
    return make_server


def leaks(where: str) -> list[str]:
    return [secret for secret in SECRETS if secret in where]


def command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_passwords_are_kept_in_success_in_failure_and_in_a_crash(
    guarded: tuple[Cli, RedisServer], photographs: Callable[..., Path], log_format: str
):
    cluster, server = guarded
    cluster.env["LABELYARD_LOG_FORMAT"] = log_format
    photographs(4)
    worker = cluster.start("worker", "--preload", MODEL)
    said = {"label": cluster("label", "photographs", "--model", MODEL)}
    assert said["label"].returncode == 0, said["label"].stderr
    for command in ("settings", "doctor", "jobs show 1"):
        said[command] = cluster(*command.split(), "--json")
        assert said[command].returncode == 0
    assert not leaks(command_lines())
    owner = create_engine(cluster.env["LABELYARD_DATABASE_URL"])
    with owner.begin() as connection:
        rows = connection.execute(text("SELECT w::text, j::text FROM worker w, job j")).all()
        assert rows
        assert not leaks(repr(rows))
        # From here on every task of the worker ends with a traceback.
        connection.execute(text("ALTER TABLE chunk RENAME TO hidden"))
    with create_app(Settings(broker_url=server.url)) as app, redis.Redis.from_url(server.url) as client:
        app.send_task(LABEL_CHUNK_TASK, kwargs={"job": 1, "chunk": 1})
        wait_for(lambda: client.llen("label") == client.hlen("unacked") == 0, "the task's end")
    said["no table"] = cluster("label", "photographs", "--model", MODEL)
    with owner.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO chunk"))
    owner.dispose()
    server.kill()
    said["no broker"] = cluster("label", "photographs", "--model", MODEL)
    wrong = cluster.env["LABELYARD_DATABASE_URL"].replace(ROLE, "nobody")
    said["wrong user"] = cluster("jobs", LABELYARD_DATABASE_URL=wrong)
    said["unreadable"] = cluster("jobs", LABELYARD_DATABASE_URL=wrong.replace("://", ":/"))
    assert [said[name].returncode for name in ("no broker", "wrong user", "unreadable")] == [3, 3, 3]
    for name, done in said.items():
        assert not leaks(done.stdout + done.stderr), name
    kill_with_children(worker)
    assert worker.stdout is not None
    log = worker.stdout.read()
    assert "Traceback" in log, "the worker crashed on purpose"
    assert not leaks(log)
