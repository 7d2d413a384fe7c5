"""docker-compose.yml and the Dockerfile, read as Compose reads them. Starts nothing; knows nothing of pytest."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

# Source: Compose Specification, "Interpolation": $$, $NAME, ${NAME}, ${NAME:-default}, ${NAME:?error}.
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<plain>\w+)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class VariableMissingError(Exception):
    """A variable that the file insists on is not set; the message is the file's."""


class AnyValue(dict[str, str]):
    """Variables of which each is set, to its own name."""

    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        """The name."""
        del default
        return name


@dataclass(frozen=True)
class Instruction:
    """One of a Dockerfile's."""

    stage: str
    keyword: str
    rest: str  # on one line


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Put variables into every text below a value.

    Raises:
        VariableMissingError: one with `:?` is not set.
    """
    if isinstance(value, dict):
        return {key: interpolate(below, variables) for key, below in value.items()}
    if isinstance(value, list):
        return [interpolate(below, variables) for below in value]
    if not isinstance(value, str):
        return value

    def insert(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        given = variables.get(found["plain"] or found["name"], "")
        if not given and found["kind"] == "?":
            raise VariableMissingError(f"{found['name']}: {found['rest']}")
        return given or (found["rest"] if found["kind"] == "-" else "") or ""

    return _VARIABLE.sub(insert, value)


def read_services(variables: Mapping[str, str], *, profiles: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """The services that `docker compose up` would start, in an order that `depends_on` allows.

    Raises:
        VariableMissingError: as above.
    """
    services = interpolate(yaml.safe_load(COMPOSE.read_text()), variables)["services"]
    wanted = {
        name: service
        for name, service in services.items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }
    return {name: wanted[name] for name in _in_order(wanted)}


def _in_order(services: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    waiting = dict(services)
    while waiting:
        ready = [name for name, service in waiting.items() if not set(service.get("depends_on", {})) & set(waiting)]
        assert ready, f"These wait for each other: {sorted(waiting)}"
        for name in ready:
            del waiting[name]
        yield from ready


def instructions() -> list[Instruction]:
    """What the Dockerfile does, stage by stage; before the first stage it has no name."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    found: list[Instruction] = []
    stage = ""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            stage = rest.rpartition(" AS ")[2]
        if keyword:
            found.append(Instruction(stage, keyword, rest))
    return found


def image_environment(target: str) -> dict[str, str]:
    """The environment that an image sets, but for where it finds its programs."""
    stages = _stages_of(target)
    pairs = (
        part.partition("=")
        for found in instructions()
        if found.keyword == "ENV" and found.stage in stages
        for part in shlex.split(found.rest)
    )
    return {name: value for name, _, value in pairs if name != "PATH"}


def image_files(target: str) -> dict[str, Path]:
    """The files that an image takes from the repository, by their path in it; folders are not among them."""
    stages = _stages_of(target)
    files: dict[str, Path] = {}
    for found in instructions():
        if found.keyword == "COPY" and found.stage in stages and "--from=" not in found.rest:
            *sources, folder = shlex.split(found.rest)
            files |= {f"{folder.rstrip('/')}/{Path(source).name}": ROOT / source for source in sources}
    return files


def _stages_of(target: str) -> set[str]:
    """A stage and those that it begins with."""
    parents = {found.stage: found.rest.split()[0] for found in instructions() if found.keyword == "FROM"}
    stages: set[str] = set()
    while target in parents and target not in stages:
        stages.add(target)
        target = parents[target]
    return stages
