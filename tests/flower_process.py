"""A real Flower with the repository's own configuration, and what its pages answer. Knows nothing of pytest."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from program import Cli, wait_for
from server_process import HOST, free_port

CONFIG = Path(__file__).parents[1] / "deploy" / "flower" / "flowerconfig.py"
LOGIN = "operator:p@ss:w0rd"


@dataclass(frozen=True)
class Answer:
    """What a page answered."""

    status: int
    text: str


@dataclass(frozen=True)
class Flower:
    """A running Flower."""

    address: str
    log: Path

    def ask(self, path: str, *, login: str | None = LOGIN, data: bytes | None = None) -> Answer:
        """Get a page, or post `data` to it."""
        request = urllib.request.Request(f"{self.address}{path}", data=data)
        if login is not None:
            request.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=30) as page:
                return Answer(page.status, page.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def json(self, path: str) -> Any:
        """Get a page of its API."""
        answer = self.ask(path)
        assert answer.status == 200, answer
        return json.loads(answer.text)


def command_of(port: int) -> list[str]:
    """How it is started."""
    return [sys.executable, "-m", "celery", "flower", f"--conf={CONFIG}", f"--port={port}"]


def start_flower(cluster: Cli, **env: str) -> Flower:
    """Start it beside a program, which ends it, and wait until it answers."""
    port = free_port()
    log = cluster.cwd / f"flower-{port}.log"
    settings = {"BROKER_URL": cluster.env["LABELYARD_BROKER_URL"], "FLOWER_BASIC_AUTH": LOGIN}
    with log.open("w") as file:
        process = subprocess.Popen(
            command_of(port),
            env=cluster.env | settings | env,
            cwd=cluster.cwd,
            stdout=file,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    cluster.processes.append(process)
    flower = Flower(f"http://{HOST}:{port}", log)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return flower.ask("/healthcheck").status == 200
        return False

    wait_for(answers, "Flower's first answer")
    return flower
