"""Real workers on a ledger of their own: with a Redis and a PostgreSQL that may be killed, or embedded on SQLite."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

from celery import Celery
from e2e.faults import observation
from e2e.faults.observation import Held
from e2e.faults.scenario import Timing
from e2e.faults.worker import Worker, is_running, slowed
from program import MODEL, PROGRAM, Cli, wait_for
from pydantic import SecretStr
from servers import PostgresServer, RedisServer

from core.jobs import LabelOptions
from core.settings import Settings
from db.database import Database
from db.schema import upgrade
from orchestrator.planning import plan
from orchestrator.submitting import LabelRequest, submit
from workers.access import Access
from workers.app import create_app

# Waited for a worker or a job. Beyond it, a job does not end.
PATIENCE_S = 120.0


class Cluster:
    """A ledger and its workers; a context manager that leaves nothing behind.

    Args:
        folder: for the state, the logs, and as the working folder.
        env: of the program.
        timing: of leases and sweeps.
        is_embedded: SQLite and no broker.
    """

    def __init__(self, folder: Path, env: dict[str, str], *, timing: Timing, is_embedded: bool) -> None:
        self.timing = timing
        self.is_embedded = is_embedded
        self.folder = folder
        self._env = env
        self._stack = ExitStack()
        self.workers: list[Worker] = []
        self._past_workers: list[Worker] = []
        self.job_ids: list[int] = []
        self._num_submitted = 0

    def __enter__(self) -> Self:
        """Start the servers."""
        with ExitStack() as stack:
            stack.callback(self._end_workers)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.freezer.mkdir()
            if self.is_embedded:
                url = f"sqlite:///{self._env['LABELYARD_HOME']}/labelyard.db"
                servers = {}
            else:
                self.redis = stack.enter_context(RedisServer())
                self.postgres = stack.enter_context(PostgresServer())
                url = self.postgres.url
                servers = {"LABELYARD_BROKER_URL": self.redis.url, "LABELYARD_DATABASE_URL": url}
            quiet = {"LABELYARD_LOG_LEVEL": "INFO", "LABELYARD_LOG_FORMAT": "json"}
            self.cli = Cli(self._env | servers | self.timing.env | quiet, self.folder)
            stack.callback(self.cli.close)
            self.ledger = Database(url)
            stack.callback(self.ledger.close)
            upgrade(self.ledger)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers and the servers."""
        self._stack.close()

    @property
    def freezer(self) -> Path:
        """Where a file named like a computing process has it freeze itself; see `shims/sitecustomize.py`."""
        return self.folder / "freeze"

    @property
    def all_workers(self) -> list[Worker]:
        """Those that have ended as well."""
        return [*self._past_workers, *self.workers]

    def start_worker(self, **env: str) -> Worker:
        """Start a worker, without waiting for it."""
        log = self.folder / f"worker-{len(self.all_workers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*PROGRAM, "worker", "--preload", MODEL],
                env=slowed(self.cli.env) | {"FAULTS_FREEZE_FOLDER": str(self.freezer)} | env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker_id = f"{socket.gethostname()}:{process.pid}{'/0' if self.is_embedded else ''}"
        worker = Worker(process, log, worker_id)
        self.workers.append(worker)
        return worker

    def have_workers(self, number: int, **env: str) -> list[Worker]:
        """See to it that so many workers are ready, and no more; new ones get these variables as well."""
        for worker in [worker for worker in self.workers if not worker.is_alive]:
            self.drop(worker)
        for worker in self.workers[number:]:
            self.drop(worker)
        for _ in range(number - len(self.workers)):
            self.start_worker(**env)
        wait_for(lambda: len(self.ready()) == number, f"{number} workers", timeout_s=PATIENCE_S)
        return list(self.workers)

    def ready(self) -> list[Worker]:
        """The workers whose computing process runs."""
        pids = observation.children(self.ledger)
        return [worker for worker in self.workers if worker.is_alive and is_running(pids.get(worker.id))]

    def signal(self, worker: Worker, number: signal.Signals) -> None:
        """Send a signal to all processes of a worker, even if the first is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, number)
        # An embedded one computes in a group of its own.
        child = observation.children(self.ledger).get(worker.id) if self.is_embedded else None
        if child is not None and is_running(child):
            os.kill(child, number)

    def drop(self, worker: Worker) -> None:
        """Kill a worker, and all that is left of it, for good."""
        self.signal(worker, signal.SIGKILL)
        worker.process.wait()
        self.workers.remove(worker)
        self._past_workers.append(worker)

    def submit(self, images: Path, *, chunk_size: int, **env: str) -> int:
        """Accept a job that labels a folder."""
        self._num_submitted += 1  # equal requests would be one job; these differ in how many classes they keep
        options = ("--chunk-size", str(chunk_size), "--top-k", str(1 + self._num_submitted % 1000), "--no-features")
        done = self.cli("label", images, "--model", MODEL, *options, "--no-wait", "--json", **env)
        assert done.returncode == 0, done.stdout + done.stderr
        job_id = int(json.loads(done.stdout)["job_id"])
        self.job_ids.append(job_id)
        return job_id

    def accept(self, images: Path, *, chunk_size: int, is_planned: bool = True) -> int:
        """Accept such a job without a word to anyone, and at once: a program would take a second to start."""
        self._num_submitted += 1
        options = LabelOptions(top_k=1 + self._num_submitted % 1000, chunk_size=chunk_size, keep_features=False)
        request = LabelRequest([str(images)], [MODEL], options)
        job_id = submit(self.ledger, self.settings, request).job_id
        self.job_ids.append(job_id)
        if is_planned:
            plan(self.ledger, job_id, Access())
        return job_id

    @cached_property
    def settings(self) -> Settings:
        """As the workers have them."""
        return Settings(
            database_url=SecretStr(self.cli.env["LABELYARD_DATABASE_URL"]),
            broker_url=SecretStr(self.cli.env["LABELYARD_BROKER_URL"]),
        )

    @cached_property
    def app(self) -> Celery:
        """The way to the workers' broker."""
        return create_app(self.settings)

    def num_queued(self) -> int:
        """How many chunks nobody has."""
        return int(observation.ask(self.ledger, "SELECT count(*) FROM chunk WHERE state = 'queued'")[0][0])

    def all_job_ids(self) -> list[int]:
        """Every job in the ledger, the oldest first."""
        return [row[0] for row in observation.ask(self.ledger, "SELECT id FROM job ORDER BY id")]

    def chunks_of(self, job_id: int) -> list[int]:
        """The chunks of a job."""
        return [row[0] for row in observation.ask(self.ledger, "SELECT id FROM chunk WHERE job_id = :job", job=job_id)]

    def leased_workers(self) -> list[tuple[Worker, list[Held]]]:
        """The ready workers that hold chunks, with their leases."""
        leases = observation.leases(self.ledger)
        found = [(worker, [held for held in leases if held.worker_id == worker.id]) for worker in self.ready()]
        return [(worker, held) for worker, held in found if held]

    def child_of(self, worker: Worker) -> int:
        """The process that computes for a worker."""
        return observation.children(self.ledger)[worker.id]

    def can_write(self) -> bool:
        """Whether nobody keeps an SQLite file's one lock for himself."""
        if self.ledger.file is None:
            return True
        with contextlib.closing(sqlite3.connect(self.ledger.file, timeout=1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.execute("ROLLBACK")
            return True

    def have_ended(self) -> bool:
        """Whether all jobs have."""
        return all(state == "done" for state in observation.states(self.ledger, self.job_ids))

    def finished_executions(self) -> Iterator[int]:
        """The chunk of each execution that a worker has said to have finished."""
        for worker in self.all_workers:
            yield from (int(event["chunk_id"]) for event in worker.events("chunk_done"))

    def _end_workers(self) -> None:
        for worker in list(self.workers):
            self.drop(worker)
