"""Commands that go on until somebody ends them: started, seen to be up, ended. Knows nothing of pytest."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from documents import split
from program import wait_for
from server_process import HOST, LAUNCHER, free_port

STOP_TIMEOUT_S = 60
KILL = "9"
# Where each shows that it is up: the setting that says where it answers, the page, and what stands on it then.
PLACES = {
    ("labelyard", "up"): ("LABELYARD_LISTEN", "/readyz", ""),
    ("labelyard", "serve"): ("LABELYARD_LISTEN", "/readyz", ""),
    ("labelyard", "worker"): ("LABELYARD_METRICS_LISTEN", "/metrics", "\nlabelyard_worker_starts_total "),
    ("celery", "flower"): ("FLOWER_PORT", "/healthcheck", ""),
}


def free_places() -> dict[str, str]:
    """Settings with free ports, so that such commands need not share theirs with what else runs on this machine."""
    places = {"LABELYARD_LISTEN", "LABELYARD_METRICS_LISTEN"}
    return {name: f"{HOST}:{free_port()}" for name in sorted(places)} | {"FLOWER_PORT": str(free_port())}


def lasts(line: str) -> bool:
    """Whether a command line goes on until it is ended."""
    return _kind(line) in PLACES


def setting_of(line: str) -> str:
    """The setting that says where it answers."""
    return PLACES[_kind(line)][0]


@dataclass(frozen=True)
class Lasting:
    """Such a command, which runs."""

    line: str
    setting: str  # that says where it answers; of commands with the same one only one can run
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, line: str, folder: Path, env: Mapping[str, str]) -> "Lasting":
        """Start it and wait until it is up.

        Raises:
            AssertionError: it ended, or did not answer in time.
        """
        setting, page, text = PLACES[_kind(line)]
        port = env[setting].rpartition(":")[2]
        log = folder / f"{setting.lower()}.log"
        bash = shutil.which("bash") or "/bin/bash"
        launch = [sys.executable, "-I", str(LAUNCHER), str(os.getpid()), "", KILL, bash, "-c", f"exec env {line}"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                launch, cwd=folder, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True
            )
        started = cls(line, setting, process, log)
        try:
            wait_for(lambda: started._answers(f"http://{HOST}:{port}{page}", text), f"`{line}` to be up")
        except BaseException:
            process.kill()
            process.wait()
            raise
        return started

    def end(self) -> None:
        """Tell it to stop.

        Raises:
            AssertionError: it did not end well.
        """
        self.process.terminate()
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        assert status == 0, f"`{self.line}` ended with {status}\n{self._said()}"

    def _answers(self, url: str, text: str) -> bool:
        assert self.process.poll() is None, f"`{self.line}` has ended\n{self._said()}"
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, timeout=10)
            return answer.is_success and text in answer.text
        return False

    def _said(self) -> str:
        return self.log.read_text(errors="replace")


def _kind(line: str) -> tuple[str, str]:
    words = next(split(line, "")).words
    return words[0].rpartition("/")[2], next((word for word in words[1:] if not word.startswith("-")), "")
