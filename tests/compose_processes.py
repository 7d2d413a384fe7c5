"""docker-compose.yml without a container engine: each service's very command, as a process of this machine.

It keeps to the file: commands, environments, health checks and the order of `depends_on` are read from it, and from the
Dockerfile what the image adds. Only what a container would have of its own is put in place of it: a service's name is
127.0.0.1, its ports are free ones, its volumes are folders. What it cannot show: users, capabilities, read-only file
systems and images. Knows nothing of pytest.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

import psycopg
from compose_file import ROOT, image_environment, image_files, read_services
from psycopg import sql
from server_process import HOST, LAUNCHER, free_port
from servers import PostgresServer, find_postgres, plain_url
from tls_redis import find_tls_redis

HEALTHY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.2
KILL = "9"


class ServiceFailedError(Exception):
    """A service ended, or never became healthy; the message holds the end of its log."""


class ComposePostgres(PostgresServer):
    """What the image of PostgreSQL makes of its environment and of its command.

    Args:
        environment: the service's.
        command: the service's, without the program itself.
    """

    def __init__(self, environment: Mapping[str, str], command: Sequence[str]) -> None:
        self._environment = environment
        self._flags = command
        super().__init__()

    def start(self) -> None:
        """Start it, and make its database as the image does at its first start."""
        super().start()
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._environment["POSTGRES_DB"]))
        with psycopg.connect(plain_url(self.url), autocommit=True) as connection:
            connection.execute(create)

    def _initialise(self) -> None:
        self.user = self._environment["POSTGRES_USER"]
        self.password = self._environment["POSTGRES_PASSWORD"]
        super()._initialise()

    def _command(self) -> Sequence[str]:
        return [*super()._command(), *self._flags]


class ComposeProcesses:
    """The services of docker-compose.yml, started on entering and stopped on leaving.

    Args:
        folder: an empty folder for what they keep.
        variables: what `.env` holds.
        volumes: folders that stand for volumes, by their names; the others are made.
        without: services that this machine has no program for.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        volumes: Mapping[str, Path] | None = None,
        without: Collection[str] = (),
    ) -> None:
        services = read_services(variables, profiles=variables["COMPOSE_PROFILES"].split(","))
        self.services = {name: service for name, service in services.items() if name not in without}
        self._folder = folder
        self._volumes = volumes or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._healthy: set[str] = set()
        self._postgres: ComposePostgres | None = None
        self._ports = {
            (name, port): free_port() for name, service in self.services.items() for port in service.get("expose", ())
        }

    def __enter__(self) -> Self:
        try:
            for name in self.services:
                self._start(name)
            for name in self.services:
                self._wait_until_healthy(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def address(self, name: str, port: str) -> str:
        """Where a service's port is found."""
        return f"{HOST}:{self._ports[name, port]}"

    def environment(self, name: str) -> dict[str, str]:
        """A service's, with nothing inherited but where programs are found."""
        service = self.services[name]
        given = service.get("environment", {})
        # Of files only those that may be missing: they are the user's, and so not for tests.
        assert not any(file["required"] for file in service.get("env_file", ()))
        # Its own programs first: there is a Redis among those of the virtual environment, an older one.
        programs = [find_tls_redis().parent, find_postgres()]
        if "build" in service:
            given = image_environment(service["build"]["target"]) | given
            programs = [Path(sys.executable).parent]
        path = ":".join([*map(str, programs), os.environ["PATH"]])
        return {"PATH": path} | {key: self.local(name, value) for key, value in given.items()}

    def run(self, name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as `docker compose exec` would."""
        return subprocess.run(
            [self.local(name, part) for part in command],
            env=self.environment(name),
            cwd=self._working_folder(name),
            capture_output=True,
            text=True,
            timeout=HEALTHY_TIMEOUT_S,
            check=False,
        )

    def local(self, name: str, text: str) -> str:
        """Put this machine's addresses and paths in place of those that a service's container has."""
        places = {f"{other}:{port}": self.address(other, port) for other, port in self._ports}
        places |= {port: str(local) for (other, port), local in self._ports.items() if other == name}
        places |= {path: str(place) for path, place in self._places(name).items()}
        # In one pass, so that nothing is replaced twice; the longest first, as `/run/redis` before `/run`.
        longest_first = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
        return re.sub(rf"(?<![\w./-])(?:{longest_first})(?![\w-])", lambda found: places[found[0]], text)

    def left_behind(self) -> list[Path]:
        """What services wrote into the folder that they were started in, where that is read-only in a container."""
        return [path for path in (self._folder / "cwd").rglob("*") if path.is_file()]

    def log(self, name: str) -> str:
        """What a service has printed."""
        if self._postgres is not None and name == "postgres":
            return self._postgres.log
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> dict[str, int]:
        """Stop all, those first that others do not need.

        Returns:
            How each process ended that was still running.
        """
        statuses = {}
        for name, process in reversed(self._processes.items()):
            if process.poll() is None:
                process.terminate()
                try:
                    statuses[name] = process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    statuses[name] = process.wait()
        self._processes.clear()
        if self._postgres is not None:
            self._postgres.close()
            self._postgres = None
        return statuses

    def _start(self, name: str) -> None:
        for other, needed in self.services[name].get("depends_on", {}).items():
            if needed["condition"] == "service_completed_successfully":
                self._wait_until_done(other)
            else:
                self._wait_until_healthy(other)
        if name == "postgres":
            self._start_postgres()
            return
        service = self.services[name]
        command = [self.local(name, part) for part in (*service.get("entrypoint", ()), *service["command"])]
        environment = self.environment(name)
        program = shutil.which(command[0], path=environment["PATH"])
        assert program is not None, f"{name}: no {command[0]} on this machine"
        launch = [sys.executable, "-I", str(LAUNCHER), str(os.getpid()), "", KILL, program, *command[1:]]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                launch,
                env=environment,
                cwd=self._working_folder(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _start_postgres(self) -> None:
        service = self.services["postgres"]
        assert service["command"][0] == "postgres"
        self._postgres = ComposePostgres(service["environment"], service["command"][1:])
        self._ports["postgres", "5432"] = self._postgres.port
        self._postgres.start()

    def _wait_until_done(self, name: str) -> None:
        status = self._processes[name].wait(HEALTHY_TIMEOUT_S)
        if status != 0:
            raise ServiceFailedError(f"{name} ended with {status}:\n{self.log(name)[-4000:]}")

    def _wait_until_healthy(self, name: str) -> None:
        check = self.services[name].get("healthcheck", {})
        if "test" not in check or name in self._healthy:
            return
        kind, *command = check["test"]
        command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
        give_up_at = time.monotonic() + HEALTHY_TIMEOUT_S
        while (done := self.run(name, command)).returncode != 0:
            process = self._processes.get(name)
            if time.monotonic() > give_up_at or (process is not None and process.poll() is not None):
                said = done.stdout + done.stderr
                raise ServiceFailedError(f"{name} is not healthy: {said}\n{self.log(name)[-4000:]}")
            time.sleep(POLL_INTERVAL_S)
        self._healthy.add(name)

    def _places(self, name: str) -> dict[str, Path]:
        """Where a container's paths are on this machine."""
        service = self.services[name]
        places = {}
        for mounted in service.get("volumes", ()):
            source, path = mounted.split(":")[:2]
            places[path] = self._volume(source)
        for mounted in service.get("tmpfs", ()):
            path = mounted.split(":")[0]
            places[path] = self._made(self._folder / "tmpfs" / name / path.strip("/").replace("/", "-"))
        return places | (image_files(service["build"]["target"]) if "build" in service else {})

    def _volume(self, source: str) -> Path:
        if source.startswith((".", "/")):
            return (ROOT / source).resolve()
        return self._volumes.get(source) or self._made(self._folder / "volumes" / source)

    def _working_folder(self, name: str) -> Path:
        """The image's, where the service mounts it; else a folder of its own, which stands for the read-only one."""
        return self._places(name).get("/state") or self._made(self._folder / "cwd" / name)

    def _made(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
