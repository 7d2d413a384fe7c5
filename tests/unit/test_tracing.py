"""Spans of one job find each other wherever they are made, and come to the collector as they were meant."""

import subprocess
import sys
import time

import pytest
from collector import Collector, collecting
from pydantic import ValidationError
from server_process import HOST, free_port

from core.settings import Settings
from core.spans import OtlpTracer, traces_url
from core.tracing import NullTracer, TraceKey, tracer_of

JOB = TraceKey(7, 1_790_000_000.123456, "abc")


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


def test_all_that_is_noted_of_a_job_is_below_its_root_whoever_notes_it(collector: Collector):
    submitter, worker = OtlpTracer(collector.url, "submitter"), OtlpTracer(collector.url, "worker")
    # The key is read anew in each process.
    same = TraceKey(7, float(repr(JOB.created_at)), "abc")
    with worker.span("chunk", same, chunk_id=3) as span, worker.span("write", num_rows=4):
        span.note(fate="done")
    since_ns = time.time_ns() - 1_000_000
    submitter.accepted(JOB, since_ns=since_ns)
    submitter.record("plan", JOB, since_ns=since_ns, num_images=9)
    submitter.close()
    worker.close()
    (root,), (plan,), (chunk,), (write,) = map(collector.named, ("accept", "plan", "chunk", "write"))
    assert {span.trace_id for span in (root, plan, chunk, write)} == {JOB.trace_id.to_bytes(16, "big")}
    assert root.parent_id == b""
    assert root.span_id == JOB.root_span_id.to_bytes(8, "big")
    assert (plan.parent_id, chunk.parent_id, write.parent_id) == (root.span_id, root.span_id, chunk.span_id)
    assert chunk.values == {"job_id": 7, "chunk_id": 3, "fate": "done"}
    assert (root.service, write.service, plan.values["num_images"]) == ("submitter", "worker", 9)
    assert root.start_ns == since_ns
    assert root.end_ns >= since_ns
    assert set(collector.paths) == {"/v1/traces"}


def test_what_did_not_come_to_its_end_is_marked(collector: Collector):
    tracer = OtlpTracer(collector.url, "worker")
    with tracer.span("chunk", JOB) as span:
        span.fail("lost")
    with tracer.span("chunk", JOB):
        pass
    tracer.close()
    assert [span.has_failed for span in collector.named("chunk")] == [True, False]


def test_jobs_of_one_id_in_two_databases_are_two_traces():
    others = [TraceKey(7, JOB.created_at + 1e-6, "abc"), TraceKey(7, JOB.created_at, "abd"), TraceKey(8, *_rest(JOB))]
    keys = [JOB, *others]
    assert len({key.trace_id for key in keys}) == len({key.root_span_id for key in keys}) == 4


def _rest(key: TraceKey) -> tuple[float, str]:
    return key.created_at, key.request_hash


def test_a_jobs_trace_is_the_one_that_it_always_was():
    # Processes of two versions work for the same job: changing these tears its trace apart.
    assert f"{JOB.trace_id:032x}" == "cf73394f70547865d1e27b576015afe2"
    assert f"{JOB.root_span_id:016x}" == "a6b23db423476152"


def test_a_collector_that_is_away_delays_the_end_by_seconds_at_most_and_raises_nothing():
    tracer = OtlpTracer(f"http://{HOST}:{free_port()}", "worker")
    with tracer.span("chunk", JOB):
        pass
    tracer.close()


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_the_path_of_traces_is_added_where_there_is_none(endpoint: str, url: str):
    assert traces_url(endpoint) == url


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://c:4317", "http://", "http://c/ d", "http://c/?key=1"])
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str):
    with pytest.raises(ValidationError, match="Expected a URL such as"):
        Settings(otlp_endpoint=endpoint)


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported():
    script = (
        "import sys; from core.settings import Settings; from core.tracing import tracer_of;"
        "import orchestrator.submitting, orchestrator.serving.orchestrator, workers.local;"
        "tracer = tracer_of(Settings(otlp_endpoint=None), 'x');"
        "sys.exit(any(name.startswith(('opentelemetry', 'prometheus_client')) for name in sys.modules) or tracer.is_on)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_process_has_one_tracer(collector: Collector):
    settings = Settings(otlp_endpoint=collector.url)
    tracer = tracer_of(settings, "one")
    assert tracer_of(settings, "one") is tracer
    assert isinstance(tracer_of(Settings(), "one"), NullTracer)
    tracer.close()
