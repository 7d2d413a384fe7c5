"""Redis with TLS and with users, as docs/how-to/secure.md sets it up."""

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from program import MODEL, Cli, wait_for, wait_for_workers
from server_process import HOST, free_port
from tls_redis import PASSWORD, TlsRedisServer

from core.queues import LABEL_CHUNK_TASK, TICK_TASK

Photographs = Callable[..., Path]


@pytest.fixture
def locked_redis(make_server: Callable[..., TlsRedisServer]) -> Iterator[TlsRedisServer]:
    with make_server(TlsRedisServer) as server:
        yield server


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path, postgres_url: str) -> Iterator[Cli]:
    cli = Cli(environment | {"LABELYARD_DATABASE_URL": postgres_url}, tmp_path)
    yield cli
    cli.close()


def start_worker(cluster: Cli, url: str) -> subprocess.Popen[str]:
    worker = cluster.start("worker", "--preload", MODEL, LABELYARD_BROKER_URL=url, LABELYARD_SWEEP_INTERVAL_S="1")
    wait_for_workers(cluster)
    return worker


def denials(server: TlsRedisServer) -> list[tuple[str, str]]:
    """What Redis forbade, to whom."""
    with redis.Redis.from_url(server.url) as client:
        log = client.acl_log()
        client.acl_log_reset()
    # Newer clients tell the server their name; it is no matter.
    return [(entry["username"], entry["object"]) for entry in log if not entry["object"].startswith("client|")]


def test_worker_and_commands_need_no_more_than_the_documented_users_may(
    cluster: Cli, locked_redis: TlsRedisServer, photographs: Photographs
):
    photographs(40)
    worker = start_worker(cluster, locked_redis.url_for("labelyard-worker"))
    cluster.env["LABELYARD_BROKER_URL"] = locked_redis.url_for("labelyard")
    summary = cluster.json("label", "photographs", "--model", MODEL, "--chunk-size", "10")
    assert (summary["state"], summary["num_errors"]) == ("done", 0)
    doctor = cluster("doctor", "--json")
    assert '"broker",\n    "verdict": "ok"' in doctor.stdout, doctor.stdout
    worker.terminate()
    said = worker.communicate(timeout=60)[0]
    assert denials(locked_redis) == [], said


def test_an_orchestrator_needs_no_more_than_its_documented_user_may(
    cluster: Cli, locked_redis: TlsRedisServer, photographs: Photographs
):
    photographs(4)
    start_worker(cluster, locked_redis.url_for("labelyard-worker"))
    url, talking = locked_redis.url_for("labelyard-serve"), {"LABELYARD_TICK_S": "0.5", "LABELYARD_LOG_LEVEL": "INFO"}
    served = cluster.start("serve", LABELYARD_BROKER_URL=url, **talking)
    cluster.env["LABELYARD_BROKER_URL"] = locked_redis.url_for("labelyard")
    assert cluster("label", "photographs", "--model", MODEL, "--no-wait").returncode == 0
    wait_for(lambda: cluster.json("jobs", "show", "1")["state"] == "done", "the job's end")
    assert served.stdout is not None
    next(line for line in served.stdout if f"Task {TICK_TASK}[" in line and "succeeded" in line)
    served.terminate()
    said = served.communicate(timeout=60)[0]
    assert (served.returncode, denials(locked_redis)) == (0, []), said


def test_flower_sees_the_worker_with_its_own_user(cluster: Cli, locked_redis: TlsRedisServer):
    start_worker(cluster, locked_redis.url_for("labelyard-worker"))
    port = free_port()
    command = [sys.executable, "-m", "celery", "flower", "--address=127.0.0.1", f"--port={port}"]
    settings = {"BROKER_URL": locked_redis.url_for("flower"), "FLOWER_UNAUTHENTICATED_API": "true"}
    with (cluster.cwd / "flower.log").open("w") as log:
        flower = subprocess.Popen(
            command, env=cluster.env | settings, stdout=log, stderr=log, text=True, start_new_session=True
        )
    cluster.processes.append(flower)

    def answer() -> str:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{HOST}:{port}/api/workers?refresh=1") as page,
        ):
            return page.read().decode()
        return ""

    wait_for(lambda: LABEL_CHUNK_TASK in answer(), "Flower's answer")
    assert denials(locked_redis) == []


def test_the_documented_users_reach_nothing_else(locked_redis: TlsRedisServer):
    for user in ("labelyard", "labelyard-worker", "labelyard-serve", "flower"):
        with redis.Redis.from_url(locked_redis.url_for(user)) as client:
            assert client.ping()
            for forbidden in (
                ("GET", "other"),
                ("LPUSH", "other", "1"),
                ("PUBLISH", "other", "1"),
                ("FLUSHALL",),
                ("CONFIG", "GET", "*"),
                ("KEYS", "*"),
                ("ACL", "LIST"),
                ("CLIENT", "KILL", "TYPE", "normal"),
                ("SHUTDOWN",),
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*forbidden)
    denials(locked_redis)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": "wrong-s3cret"}, "invalid username-password pair"),
        ({"user": "nobody"}, "invalid username-password pair"),
        ({"other_authority": True}, "certificate verify failed"),
        ({"authority": "/nowhere/ca.pem"}, "ssl_ca_certs=/nowhere/ca.pem, and no such file is there"),
        ({"replace": ("rediss://", "redis://")}, "Expected none with redis://"),
        ({"replace": ("ssl_cert_reqs=required", "ssl_cert_reqs=perhaps")}, "Expected required, optional or none"),
        ({"replace": ("rediss://", "amqps://")}, "Expected redis://"),
        ({"replace": ("/0?", "/zero?")}, "Expected a number"),
        ({"replace": ("?ssl_", "?tls_")}, "has the option 'tls_ca_certs'"),
    ],
    ids=str,
)
def test_what_is_wrong_with_the_url_is_said_in_a_sentence_without_the_password(
    cluster: Cli, locked_redis: TlsRedisServer, change: dict[str, object], expected: str
):
    authority = locked_redis.other_authority if change.get("other_authority") else change.get("authority")
    password = str(change.get("password", PASSWORD))
    url = locked_redis.url_for(str(change.get("user", "labelyard")), password=password, authority=authority)
    if "replace" in change:
        url = url.replace(*change["replace"])
    (cluster.cwd / "one.jpg").write_bytes(b"")
    for command in (["label", "one.jpg", "--model", MODEL], ["worker"]):
        done = cluster(*command, LABELYARD_BROKER_URL=url, LABELYARD_LOG_LEVEL="DEBUG")
        said = done.stdout + done.stderr
        assert done.returncode == 3, said
        assert expected.lower() in said.lower(), said
        assert "Traceback" not in said
        assert not any(secret in said for secret in (password, url, "%25rd", "wrong-s3cret")), said


def test_a_missing_permission_is_said_in_a_sentence(cluster: Cli, locked_redis: TlsRedisServer):
    with redis.Redis.from_url(locked_redis.url) as client:
        client.execute_command("ACL", "SETUSER", "narrow", "on", f">{PASSWORD}", "~other", "+@connection")
    (cluster.cwd / "one.jpg").write_bytes(b"")
    done = cluster("label", "one.jpg", "--model", MODEL, LABELYARD_BROKER_URL=locked_redis.url_for("narrow"))
    assert done.returncode == 3, done.stderr
    assert "has no permissions to run" in done.stderr
    assert "docs/how-to/secure.md" in done.stderr
    denials(locked_redis)
