"""What the container files promise, read from them: no engine, no server."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from compose_file import (
    COMPOSE,
    ROOT,
    AnyValue,
    VariableMissingError,
    image_files,
    instructions,
    interpolate,
    read_services,
)
from dotenv import dotenv_values
from tls_redis import documented_users

SCHEMA = ROOT / "tests" / "schemas" / "compose-spec" / "compose-spec.json"
LOCKS = ROOT / "deploy" / "docker"
PROFILES = ("gpu", "monitoring")


def make_env(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "deploy" / "make_env.py", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    return read_services(AnyValue(), profiles=PROFILES)


def test_the_compose_file_conforms_to_the_compose_specification():
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    compose = yaml.safe_load(COMPOSE.read_text())
    assert [error.message for error in validator.iter_errors(compose)] == []
    compose["services"]["redis"]["comand"] = "redis-server"
    assert not validator.is_valid(compose), "it would notice a word that Compose does not know"


def test_profiles_add_what_they_are_named_for():
    start = {profiles: set(read_services(AnyValue(), profiles=profiles)) for profiles in [(), ("gpu",), PROFILES]}
    assert start[()] == {"redis", "postgres", "migrate", "orchestrator", "label-worker", "train-worker", "flower"}
    assert start["gpu",] - start[()] == {"gpu-worker"}
    assert start[PROFILES] - start["gpu",] == {"prometheus", "grafana"}


def test_every_service_starts_after_those_that_it_needs_are_healthy_or_done(services: dict[str, dict[str, Any]]):
    order = list(services)
    for name, service in services.items():
        for other, needed in service.get("depends_on", {}).items():
            assert order.index(other) < order.index(name)
            ends = services[other].get("restart") == "no"
            assert needed["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
            assert ends or "test" in services[other]["healthcheck"], f"{name} would wait for {other} for ever"


def test_every_service_is_locked_down(services: dict[str, dict[str, Any]]):
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service.get("user") != "root", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service.get("restart") == ("no" if name == "migrate" else "unless-stopped"), name


def test_images_are_named_by_exact_versions(services: dict[str, dict[str, Any]]):
    for name, service in services.items():
        ours = service["image"].startswith("labelyard:")
        assert ours == ("build" in service), name
        assert ours or re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", service["image"]), service["image"]
    (base,) = {found.rest for found in instructions() if found.keyword == "ARG"}
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim-[a-z]+", base)


def test_sources_are_read_only_and_workers_do_not_write_uploads(services: dict[str, dict[str, Any]]):
    mounts = {(name, mounted) for name, service in services.items() for mounted in service.get("volumes", ())}
    readers = {name for name, mounted in mounts if ":/sources" in mounted}
    assert readers == {"orchestrator", "label-worker", "train-worker", "gpu-worker"}
    assert all(mounted.endswith(":/sources:ro") for _, mounted in mounts if ":/sources" in mounted)
    assert {name for name, mounted in mounts if mounted == "uploads:/uploads"} == {"orchestrator"}


def test_what_comes_by_http_does_not_pass_through_memory(services: dict[str, dict[str, Any]]):
    orchestrator = services["orchestrator"]
    assert orchestrator["tmpfs"] == []
    assert "scratch:/tmp" in orchestrator["volumes"]


def test_a_worker_can_be_scaled(services: dict[str, dict[str, Any]]):
    for name in ("label-worker", "train-worker", "gpu-worker"):
        assert "container_name" not in services[name]
        assert "ports" not in services[name], "a second one could not publish the same port"


def test_without_an_env_file_nothing_starts_and_no_password_has_a_default():
    needed = set()
    variables: dict[str, str] = {}
    while True:
        try:
            read_services(variables, profiles=PROFILES)
        except VariableMissingError as missing:
            name, advice = str(missing).split(": ")
            assert advice == "run make env"
            needed.add(name)
            variables[name] = "given"
        else:
            break
    assert {name for name in needed if not name.endswith("_PASSWORD")} == set()
    in_use = set(re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|TOKEN)\w*)", COMPOSE.read_text()))
    assert needed == in_use


def test_make_env_writes_random_passwords_for_its_owner_alone_and_never_again(tmp_path: Path):
    files = [tmp_path / name / ".env" for name in ("one", "two")]
    for path in files:
        path.parent.mkdir()
        assert make_env(path).returncode == 0
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    one, two = (dotenv_values(path) for path in files)
    passwords = [value for made in (one, two) for name, value in made.items() if name.endswith("_PASSWORD")]
    assert len(set(passwords)) == len(passwords) == 16
    assert all(re.fullmatch("[0-9a-f]{48}", password or "") for password in passwords)
    assert not [name for name in one if name.startswith("LABELYARD_")], "commands in this folder read it too"
    services = read_services({name: value or "" for name, value in one.items()}, profiles=PROFILES)
    assert one["REDIS_WORKER_PASSWORD"] in services["label-worker"]["environment"]["LABELYARD_BROKER_URL"]

    before = files[0].read_bytes()
    again = make_env(files[0])
    assert (again.returncode, files[0].read_bytes()) == (1, before)
    assert "is there already" in again.stderr
    nowhere = make_env(tmp_path / "nowhere" / ".env")
    assert (nowhere.returncode, "Traceback" in nowhere.stderr) == (1, False)


def test_redis_gets_the_documented_users():
    in_file = (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines()
    documented = {line.split()[1]: re.sub(r">\S+|\">[^\"]*\"", ">…", line) for line in documented_users()}
    assert {line.split()[1]: re.sub(r">@\w+@", ">…", line) for line in in_file} == {
        name: line for name, line in documented.items() if name != "labelyard"
    }


def test_what_the_dockerfile_copies_is_there_and_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copies = [found.rest for found in instructions() if found.keyword == "COPY" and "--from=" not in found.rest]
    for source in (source for copied in copies for source in copied.split()[:-1]):
        path = ROOT / source
        assert path.exists(), source
        assert any(path.is_relative_to(ROOT / name) for name in allowed), f".dockerignore hides {source}"
    assert "*" in ignored


def test_what_is_copied_between_stages_comes_from_an_earlier_stage():
    stages: list[str] = []
    for found in instructions():
        if found.keyword == "FROM":
            stages.append(found.stage)
        for other in re.findall(r"--from=(\S+)", found.rest):
            assert other in stages[:-1], found.rest
    assert stages[-1] == "cpu", "what `docker build .` makes"


def test_what_the_dockerfile_runs_uses_files_that_are_in_the_stage():
    copied: dict[str, str] = {}
    for found in instructions():
        if found.keyword == "COPY":
            copied[found.stage] = f"{copied.get(found.stage, '')} {found.rest}"
        if found.keyword == "RUN":
            for lock in re.findall(r"[\w-]+\.lock", found.rest):
                assert lock in copied[found.stage], f"{found.stage} has no {lock}"
                assert "--require-hashes" in found.rest


def test_the_last_stages_have_no_tools_to_build_with_and_do_not_run_as_root():
    last = [found for found in instructions() if found.stage in ("base", "cpu", "gpu")]
    runs = " ".join(found.rest for found in last if found.keyword == "RUN")
    assert "apt-get" not in runs
    assert "pip uninstall --yes" in runs
    assert [found.rest for found in last if found.keyword == "USER"] == ["10001:10001"]
    assert [found.keyword for found in last].count("HEALTHCHECK") == 1


@pytest.mark.parametrize("lock", ["requirements-cpu.lock", "requirements-gpu.lock"])
def test_images_have_the_versions_that_the_tests_run_with(lock: str):
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+(?: ; [^\\\n]+)?", path.read_text(), re.MULTILINE))

    def names(found: set[str]) -> set[str]:
        return {pin.split("==")[0] for pin in found}

    tested, installed = pins(ROOT / "requirements.lock"), pins(LOCKS / lock)
    shared = names(tested) & names(installed)
    assert len(shared) > 100
    differing = {pin for pin in tested ^ installed if pin.split("==")[0] in shared}
    assert differing == set()
    assert ("nvidia-cudnn-cu12" in names(installed)) == ("gpu" in lock)
    assert {"s3fs", "gcsfs"} <= names(installed)


@pytest.mark.parametrize(("text", "expected"), [("$$A", "$A"), ("$A-${A}", "1-1"), ("${B:-x:y}", "x:y"), ("${B}", "")])
def test_variables_are_put_in_as_compose_does(text: str, expected: str):
    assert interpolate({"key": [text]}, {"A": "1"}) == {"key": [expected]}


def test_scripts_of_the_image_are_those_that_services_name(services: dict[str, dict[str, Any]]):
    named = {
        path
        for service in services.values()
        for path in re.findall(r"/opt/labelyard/share/[\w.]+", json.dumps(service))
    }
    assert named == set(image_files("cpu")) == set(image_files("gpu"))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "Usage"),
        (["file:///etc/passwd"], 1, "expected http://HOST:PORT/PATH"),
        (["http://127.0.0.1:1/"], 1, "does not answer"),
    ],
    ids=str,
)
def test_the_health_check_says_what_is_wrong(arguments: list[str], status: int, said: str):
    command = [sys.executable, ROOT / "deploy" / "docker" / "health.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (status, True, False)
