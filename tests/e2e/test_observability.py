"""What operators see of real workers: their log lines, their figures, the traces of jobs."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from collector import Collector, FoundSpan, collecting
from program import MODEL, PROGRAM, Cli, wait_for, wait_for_workers
from prometheus_client.parser import text_string_to_metric_families
from promtool import require_clean
from server_process import HOST, free_port

Photographs = Callable[..., Path]
CHUNK_SIZE = 4


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def start_worker(cli: Cli, log: Path, **env: str) -> subprocess.Popen[Any]:
    """Start `labelyard worker`, with all that it writes in a file."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [*PROGRAM, "worker"], env=cli.env | env, cwd=cli.cwd, stdout=file, stderr=file, start_new_session=True
        )
    cli.processes.append(process)
    return process


def stop(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def label(cli: Cli, *options: str) -> dict[str, Any]:
    found = cli.json("label", "photographs", "--model", MODEL, "--chunk-size", str(CHUNK_SIZE), *options)
    assert found["state"] == "done"
    return dict(found)


def read_figures(url: str) -> tuple[str, dict[tuple[str, ...], float]]:
    with urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return text, {
        (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
    }


def test_every_line_of_a_worker_is_json_and_names_it_and_what_it_works_on(
    cluster: Cli, photographs: Photographs, tmp_path: Path
):
    (photographs(9) / "broken.jpg").write_bytes(b"no image")
    log = tmp_path / "worker.log"
    # It converts its network itself, whichever tests ran before: those share what they converted.
    Path(cluster.env["LABELYARD_HOME"], "engines").unlink()
    worker = start_worker(cluster, log, LABELYARD_LOG_FORMAT="json", LABELYARD_LOG_LEVEL="INFO")
    wait_for_workers(cluster)
    job_id = label(cluster)["job_id"]
    stop(worker)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines, "it said nothing"
    for line in lines:
        assert {"event", "level", "timestamp", "worker_id"} <= line.keys(), line
    assert len({line["worker_id"] for line in lines}) == 1
    done = [line for line in lines if line["event"] == "chunk_done"]
    assert [line["job_id"] for line in done] == [job_id] * 3
    assert sorted(line["chunk_id"] for line in done) == [1, 2, 3]
    # Of the threads that load and compute, too.
    of_threads = [line for line in lines if line["event"] in ("network_converted", "batch_size_found")]
    assert {line["event"] for line in of_threads} == {"network_converted", "batch_size_found"}
    assert all("chunk_id" in line for line in of_threads)
    # Celery's own lines are among them.
    assert any("labelyard.label_chunk" in line["event"] for line in lines)


def test_an_error_that_nobody_catches_is_a_line_with_its_traceback(environment: dict[str, str]):
    script = (
        "import structlog; from core.logs import configure_logging, log_the_rest; from core.settings import Settings;"
        "configure_logging(Settings(), worker_id='anna'); log_the_rest(structlog.get_logger('x'));"
        "import threading; thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join();"
        "import warnings; warnings.warn('old'); password = 's3cret'; raise KeyError('lost')"
    )
    settings = environment | {"LABELYARD_LOG_FORMAT": "json"}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    of_thread, warning, of_program = (json.loads(line) for line in done.stderr.splitlines())
    assert (of_thread["event"], of_program["event"]) == ("uncaught_error",) * 2
    assert "old" in warning["event"]
    assert of_program["worker_id"] == "anna"
    assert "ZeroDivisionError" in of_thread["exception"]
    assert "KeyError: 'lost'" in of_program["exception"]


@pytest.mark.parametrize("kind", ["cli", "cluster"])
def test_a_workers_page_counts_what_the_ledger_has(
    kind: str, request: pytest.FixtureRequest, photographs: Photographs, tmp_path: Path
):
    cli: Cli = request.getfixturevalue(kind)
    (photographs(9) / "broken.jpg").write_bytes(b"no image")
    address = f"{HOST}:{free_port()}"
    settings = {"LABELYARD_METRICS_LISTEN": address, "LABELYARD_WORKERS": "2"}
    worker = start_worker(cli, tmp_path / "worker.log", **settings)
    url = f"http://{address}/metrics"
    job = cli.json("label", "photographs", "--model", MODEL, "--chunk-size", str(CHUNK_SIZE), "--no-wait")
    wait_for(lambda: cli.json("jobs", "show", str(job["job_id"]))["state"] == "done", "the job's end")
    # The figures follow the rows.
    wait_for(lambda: read_figures(url)[1].get(("labelyard_worker_chunks_total", "done", "label")) == 3, "its chunks")
    text, found = read_figures(url)
    assert found["labelyard_worker_images_labelled_total",] == 9
    assert found["labelyard_worker_image_errors_total", "not_an_image"] == 1
    assert found["labelyard_worker_chunk_duration_seconds_count", "label"] == 3
    assert found["labelyard_worker_stage_seconds_total", "engine"] > 0
    assert found["labelyard_worker_stage_seconds_total", "write"] > 0
    assert found["labelyard_worker_model_loads_total",] >= 1
    assert found["labelyard_worker_starts_total",] == (2 if kind == "cli" else 1)
    require_clean("check", "metrics", given=text.encode())
    taken = cli("worker", **settings)
    assert taken.returncode == 3
    assert f"received {address}, and nobody can listen there" in taken.stderr
    stop(worker)


def check_trace(collector: Collector, num_chunks: int) -> list[FoundSpan]:
    """All of a job's spans are of one trace, below one root; returns its chunks."""
    (root,), chunks = collector.named("accept"), collector.named("chunk")
    assert {span.trace_id for span in collector.spans} == {root.trace_id}
    assert root.parent_id == b""
    plans = collector.named("plan")
    assert {span.parent_id for span in [*plans, *chunks]} == {root.span_id}
    assert sum(span.values["num_images"] for span in plans) == sum(span.values["num_images"] for span in chunks)
    assert [span.values["fate"] for span in chunks] == ["done"] * num_chunks
    for stage in ("load", "label", "write"):
        assert sorted(span.parent_id for span in collector.named(stage)) == sorted(span.span_id for span in chunks)
    assert all(span.values["engine_s"] > 0 for span in collector.named("label"))
    return chunks


def test_a_job_is_one_trace_whichever_processes_worked_for_it(
    cluster: Cli, photographs: Photographs, collector: Collector, tmp_path: Path
):
    photographs(10)
    cluster.env["LABELYARD_OTLP_ENDPOINT"] = collector.url
    worker = start_worker(cluster, tmp_path / "worker.log")
    wait_for_workers(cluster)
    label(cluster)
    stop(worker)
    chunks = check_trace(collector, 3)
    assert sorted(span.values["chunk_id"] for span in chunks) == [1, 2, 3]
    assert {span.service for span in chunks} == {"labelyard-worker"}
    assert {span.service for span in collector.named("accept")} == {"labelyard-orchestrator"}


def test_an_embedded_command_sends_all_of_its_trace_before_it_ends(
    cli: Cli, photographs: Photographs, collector: Collector
):
    photographs(10)
    cli.env["LABELYARD_OTLP_ENDPOINT"] = collector.url
    label(cli)
    check_trace(collector, 3)


def test_a_collector_that_is_away_changes_no_answer(cli: Cli, photographs: Photographs):
    photographs(6)
    alone = cli("label", "photographs", "--model", MODEL, "--out", "alone.csv")
    watched = cli(
        "label",
        "photographs",
        "--model",
        MODEL,
        "--out",
        "watched.csv",
        LABELYARD_OTLP_ENDPOINT=f"http://{HOST}:{free_port()}",
        LABELYARD_METRICS_LISTEN=f"{HOST}:{free_port()}",
    )
    assert (alone.returncode, watched.returncode) == (0, 0), watched.stderr
    assert (cli.cwd / "alone.csv").read_bytes() == (cli.cwd / "watched.csv").read_bytes()
