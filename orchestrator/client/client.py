"""What a program may ask: each method is one route of the API, or a few that belong together."""

import json
import os
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import TypeAdapter

from orchestrator.api.paging import Page
from orchestrator.api.routes.results import Result
from orchestrator.client.connection import Connection, part
from orchestrator.comparing import Comparison
from orchestrator.fleet import WorkerStatus
from orchestrator.formats import TableFormat
from orchestrator.labels.values import ImportReport
from orchestrator.models import ModelSummary
from orchestrator.review.handing_out import HandedOut
from orchestrator.scheduling.history import HistoryEntry, ScheduleSummary
from orchestrator.summary import JobSummary
from orchestrator.uploads.values import UploadSummary

_PIECE_BYTES = 1024**2


class Client:
    """A Labelyard server.

    What asks for work carries a key, so that a request whose answer is lost is sent again and is one job all the same.

    Args:
        url: where it is; LABELYARD_URL, or this machine, if not given.
        token: what `labelyard tokens create` printed; LABELYARD_TOKEN if not given.
        transport: how requests get there; the network by default.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        url = url or os.environ.get("LABELYARD_URL") or "http://127.0.0.1:8600"
        self._connection = Connection(url, token or os.environ.get("LABELYARD_TOKEN"), transport)

    def __enter__(self) -> Self:
        """Nothing happens yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of the network."""
        self._connection.close()

    # Jobs

    def label(
        self,
        sources: Sequence[str],
        models: Sequence[str],
        *,
        key: str | None = None,
        **options: Any,  # noqa: ANN401
    ) -> JobSummary:
        """Have images labelled.

        Args:
            sources: absolute paths of the server's, URLs, `upload:ID`, `job:ID`.
            models: which label each of them.
            key: names the request; one of its own if not given.
            options: the others of `POST /jobs`, such as `top_k` or `priority`.
        """
        return self._submit("/jobs", {"sources": list(sources), "models": list(models), **options}, key)

    def train(self, dataset: str, name: str, *, key: str | None = None, **options: Any) -> JobSummary:  # noqa: ANN401
        """Have a classifier trained, with the options of `POST /trainings`."""
        return self._submit("/trainings", {"dataset": dataset, "name": name, **options}, key)

    def evaluate(self, model: str, dataset: str, *, key: str | None = None, **options: Any) -> JobSummary:  # noqa: ANN401
        """Have a model measured, with the options of `POST /evaluations`."""
        return self._submit("/evaluations", {"model": model, "dataset": dataset, **options}, key)

    def relabel(self, job_id: int, model: str, *, key: str | None = None) -> JobSummary:
        """Have a job's images labelled again with a version of its model."""
        return self._submit(f"/jobs/{job_id}/relabel", {"model": model}, key)

    def job(self, job_id: int) -> JobSummary:
        """How a job is."""
        return self._connection.ask(JobSummary, "GET", f"/jobs/{job_id}")

    def jobs(self, *, kind: str | None = None, state: str | None = None) -> Iterator[JobSummary]:
        """All jobs, the newest first, page by page."""
        return self._pages(JobSummary, "/jobs", kind=kind, state=state, limit=100)

    def steer(self, job_id: int, action: str) -> JobSummary:
        """Pause, resume, cancel or retry a job."""
        return self._connection.ask(JobSummary, "POST", f"/jobs/{job_id}/{action}")

    def set_priority(self, job_id: int, priority: str) -> JobSummary:
        """Have a job done sooner (`urgent`) or later (`bulk`)."""
        return self._connection.ask(JobSummary, "PATCH", f"/jobs/{job_id}", json={"priority": priority})

    def follow(self, job_id: int) -> Iterator[JobSummary]:
        """How a job is now, and again whenever that has changed, until it has ended."""
        summary = TypeAdapter(JobSummary)
        with self._connection.stream(f"/jobs/{job_id}/events") as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield summary.validate_python(json.loads(line.removeprefix("data:")))

    def wait(self, job_id: int) -> JobSummary:
        """Wait until a job has ended."""
        while not (job := self.job(job_id)).state.is_final:
            # A server that is started again breaks off the events; how the job is says the next look.
            with suppress(httpx.TransportError):
                deque(self.follow(job_id), maxlen=0)
        return job

    # Results

    def results(self, job_id: int, **filters: Any) -> Iterator[Result]:  # noqa: ANN401 - those of the route
        """A job's images with what a model says of them, page by page.

        Args:
            job_id: the job.
            filters: those of `GET /jobs/ID/results`, such as `label`, `min_score`, `errors`.
        """
        return self._pages(Result, f"/jobs/{job_id}/results", **filters)

    def export(self, job_id: int, path: Path) -> None:
        """Write a job's results to a .csv, .jsonl or .parquet file."""
        table_format = TableFormat(path.suffix.lower().removeprefix("."))
        self._save(path, f"/jobs/{job_id}/export", format=table_format)

    # Uploads

    def upload(self, name: str, files: Sequence[Path]) -> UploadSummary:
        """Send files as one upload, a source for other requests; ZIP archives are unpacked there."""
        upload = self._connection.ask(UploadSummary, "POST", "/uploads", json={"name": name})
        for path in files:
            with path.open("rb") as file:
                pieces = iter(lambda file=file: file.read(_PIECE_BYTES), b"")  # type: ignore[misc]
                upload = self._connection.send(UploadSummary, f"/uploads/{upload.id}/files/{part(path.name)}", pieces)
        return upload

    # Models, schedules, labels, review, workers

    def models(self) -> list[ModelSummary]:
        """Every version of every model of one's own."""
        return self._connection.ask(list[ModelSummary], "GET", "/models")

    def model(self, name: str, version: int | None = None) -> ModelSummary:
        """A version of a model; its champion if none is named."""
        path = f"/models/{part(name)}" if version is None else f"/models/{part(name)}/versions/{version}"
        return self._connection.ask(ModelSummary, "GET", path)

    def compare(self, first: str, second: str) -> Comparison:
        """Two models on the images that neither has learned from."""
        return self._connection.ask(Comparison, "GET", "/comparison", params={"first": first, "second": second})

    def promote(self, name: str, version: int) -> ModelSummary:
        """Take a version into use."""
        return self._connection.ask(ModelSummary, "POST", f"/models/{part(name)}/versions/{version}/promote")

    def roll_back(self, name: str) -> ModelSummary:
        """Take the champion before the present one into use again."""
        return self._connection.ask(ModelSummary, "POST", f"/models/{part(name)}/rollback")

    def add_schedule(self, name: str, model: str, cron: str, **options: Any) -> ScheduleSummary:  # noqa: ANN401
        """Add a schedule, with the options of `POST /schedules`."""
        body = {"name": name, "model": model, "cron": cron, **options}
        return self._connection.ask(ScheduleSummary, "POST", "/schedules", json=body)

    def schedules(self) -> list[ScheduleSummary]:
        """All schedules and when they fire next."""
        return self._connection.ask(list[ScheduleSummary], "GET", "/schedules")

    def history(self, schedule: str) -> list[HistoryEntry]:
        """What became of each time of a schedule."""
        return self._connection.ask(list[HistoryEntry], "GET", f"/schedules/{part(schedule)}/history")

    def say(self, labels: Sequence[dict[str, str]], **options: Any) -> ImportReport:  # noqa: ANN401
        """Say what images show: `[{"image": …, "label": …}]`, with the options of `POST /labels`."""
        return self._connection.ask(ImportReport, "POST", "/labels", json={"labels": list(labels), **options})

    def next_to_review(self, **options: Any) -> list[HandedOut]:  # noqa: ANN401 - those of the route
        """The images that are most worth a look, with the options of `POST /review/next`."""
        return self._connection.ask(list[HandedOut], "POST", "/review/next", json=options)

    def workers(self) -> list[WorkerStatus]:
        """What each worker is doing."""
        return self._connection.ask(list[WorkerStatus], "GET", "/workers")

    def _submit(self, path: str, body: dict[str, Any], key: str | None) -> JobSummary:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._connection.ask(JobSummary, "POST", path, json=body, headers=headers)

    def _pages(self, item: type[Any], path: str, **params: Any) -> Iterator[Any]:  # noqa: ANN401
        cursor: str | None = None
        while True:
            page = self._connection.ask(Page[item], "GET", path, params={**params, "cursor": cursor})  # type: ignore[valid-type]
            yield from page.items
            if (cursor := page.next) is None:
                return

    def _save(self, path: Path, address: str, **params: object) -> None:
        incoming = path.with_name(f".{path.name}.part")
        try:
            with self._connection.stream(address, **params) as answer, incoming.open("wb") as file:
                file.writelines(answer.iter_bytes(_PIECE_BYTES))
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)
