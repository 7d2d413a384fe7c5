"""docker-compose.yml, as processes: its commands label a folder, its health checks hold, its passwords are needed."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import yaml
from compose_file import ROOT, AnyValue, read_services
from compose_processes import ComposeProcesses
from dotenv import dotenv_values
from flower_process import Flower
from program import MODEL, read_csv, wait_for
from server_process import ServerMissingError
from servers import find_postgres
from tls_redis import find_tls_redis

from core.queues import LABEL_CHUNK_TASK

NUM_IMAGES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compose")


@pytest.fixture(scope="module")
def variables(folder: Path, make_photographs: Callable[[Path, int], Path]) -> dict[str, str]:
    """What `make env` writes, with a folder of images."""
    path = folder / ".env"
    subprocess.run([sys.executable, ROOT / "deploy" / "make_env.py", path], check=True, capture_output=True)
    photographs = make_photographs(folder / "photographs", NUM_IMAGES)
    return {name: value or "" for name, value in dotenv_values(path).items()} | {"SOURCES": str(photographs)}


@pytest.fixture(scope="module")
def compose(
    folder: Path, variables: dict[str, str], keras_home: Path, engines: Path, give_up: Callable[[str], None]
) -> Iterator[ComposeProcesses]:
    """All that `docker compose up` starts after `make env`, healthy, but what this machine has no program for."""
    try:
        find_postgres()
        find_tls_redis()  # its users are of Redis 7; the wheels have an older one
    except ServerMissingError as error:
        give_up(str(error))
    state = folder / "state"
    state.mkdir()
    (state / "engines").symlink_to(engines)
    volumes = {"keras": keras_home, "state": state}
    # Grafana is in no registry that tests ask; Prometheus is Debian's.
    without = {"grafana"} if shutil.which("prometheus") else {"grafana", "prometheus"}
    with ComposeProcesses(folder, variables, volumes=volumes, without=without) as compose:
        yield compose
        statuses = compose.stop()
    assert set(statuses.values()) == {0}, f"Not all of them ended well when they were told to: {statuses}"
    assert compose.left_behind() == [], "their file system is read-only"


def test_its_very_commands_label_a_folder_and_flower_shows_it_to_those_who_know_the_password(
    compose: ComposeProcesses, variables: dict[str, str], folder: Path
):
    label = ["labelyard", "label", "/sources", "--model", MODEL, "--out", "/state/labels.csv"]
    done = compose.run("orchestrator", label)
    assert done.returncode == 0, (done.stdout, done.stderr, compose.log("label-worker"))
    rows = read_csv(folder / "state" / "labels.csv")
    assert [Path(row["image"]) for row in rows] == sorted(Path(variables["SOURCES"]).iterdir())
    assert all(row["label"] and not row["error"] for row in rows)

    flower = Flower(f"http://{compose.address('flower', '5555')}", folder)
    login = f"operator:{variables['FLOWER_PASSWORD']}"
    wait_for(lambda: LABEL_CHUNK_TASK in flower.ask("/api/tasks", login=login).text, "Flower's answer")
    assert flower.ask("/api/tasks", login=None).status == 401


def test_the_api_wants_a_token_because_it_does_not_listen_on_loopback(compose: ComposeProcesses):
    jobs = f"http://{compose.address('orchestrator', '8600')}/api/v1/jobs"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(jobs, timeout=10)
    made = compose.run("orchestrator", ["labelyard", "tokens", "create", "ada", "--scope", "read", "--json"])
    assert made.returncode == 0, made.stderr
    (token,) = re.findall(r"ly_[\w-]+", made.stdout)
    request = urllib.request.Request(jobs, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as page:
        assert page.status == 200


def test_two_workers_have_described_themselves_and_their_role_drops_nothing(compose: ComposeProcesses):
    url = compose.environment("label-worker")["LABELYARD_DATABASE_URL"]
    with psycopg.connect(url) as connection:
        count = "SELECT count(*) FROM worker"
        wait_for(lambda: connection.execute(count).fetchone() == (2,), "one that labels and one that trains")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE result")


def test_only_the_migration_has_the_owners_password_and_only_redis_has_all_of_its_users(
    compose: ComposeProcesses, variables: dict[str, str]
):
    def knows(secret: str) -> set[str]:
        return {name for name in compose.services if variables[secret] in str(compose.environment(name))}

    assert knows("POSTGRES_OWNER_PASSWORD") == {"postgres", "migrate"}
    assert knows("POSTGRES_WORKER_PASSWORD") == {"migrate", "label-worker", "train-worker"}
    assert knows("POSTGRES_ORCHESTRATOR_PASSWORD") == {"migrate", "orchestrator"}
    assert knows("REDIS_WORKER_PASSWORD") == {"redis", "label-worker", "train-worker"}
    assert knows("REDIS_ORCHESTRATOR_PASSWORD") == {"redis", "orchestrator"}
    assert knows("REDIS_FLOWER_PASSWORD") == {"redis", "flower"}
    for name in compose.services:
        said = compose.log(name)
        assert not [secret for secret, value in variables.items() if "PASSWORD" in secret and value in said], name


def test_redis_is_as_its_configuration_says(compose: ComposeProcesses, variables: dict[str, str]):
    host, port = compose.address("redis", "6379").split(":")
    with redis.Redis(host=host, port=int(port)) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()
    password = variables["REDIS_WORKER_PASSWORD"]
    with redis.Redis(host=host, port=int(port), username="labelyard-worker", password=password) as worker:
        facts = worker.info()
        assert (facts["aof_enabled"], facts["maxmemory_policy"], facts["maxmemory"]) == (1, "noeviction", 256 * 1024**2)
        with pytest.raises(redis.exceptions.NoPermissionError):
            worker.flushall()


def test_prometheus_has_our_rules_and_looks_for_our_processes(compose: ComposeProcesses):
    if "prometheus" not in compose.services:
        pytest.skip("No prometheus on the PATH (Debian's package prometheus has it)")

    address = compose.address("prometheus", "9090")

    def ask(what: str) -> Any:
        with urllib.request.urlopen(f"http://{address}/api/v1/{what}", timeout=10) as page:
            return json.load(page)["data"]

    assert [group["name"] for group in ask("rules")["groups"]] == ["labelyard"]
    jobs = yaml.safe_load(ask("status/config")["yaml"])["scrape_configs"]
    places = [place for job in jobs for place in job["dns_sd_configs"]]
    looked_for = {(name, str(place["port"])) for place in places for name in place["names"]}
    services = read_services(AnyValue(), profiles=["gpu"])
    exposed = {(name, port) for name, service in services.items() for port in service.get("expose", ())}
    assert looked_for, "it looks for nobody"
    assert looked_for <= exposed


def test_the_migration_may_run_again(compose: ComposeProcesses):
    done = compose.run("migrate", compose.services["migrate"]["command"])
    assert done.returncode == 0, done.stderr
    assert "is up to date" in done.stdout
