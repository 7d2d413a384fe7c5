"""Sending traces by OpenTelemetry's SDK, as protobuf over HTTP. Imported only where an endpoint is set.

A collector that is away costs nothing but the traces: they are sent by a thread of their own, from a bounded queue.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from core.tracing import TraceKey, Value

# Where a collector takes traces, by OTLP's specification, if its URL does not say.
TRACES_PATH = "/v1/traces"
# Nobody waits longer than this for a collector, not even at a process's end.
SEND_TIMEOUT_S = 3.0
# Spans wait this long for others to be sent with. A process that is killed loses those of its last moment.
SEND_INTERVAL_S = 0.5


class OtlpTracer:
    """Sends spans to a collector; `core.tracing.Tracer`.

    Args:
        endpoint: the collector's URL.
        service: what this process is.
    """

    is_on = True

    def __init__(self, endpoint: str, service: str) -> None:
        self._ids = _RootIds()
        self._provider = TracerProvider(resource=_resource(service), id_generator=self._ids)
        exporter = OTLPSpanExporter(traces_url(endpoint), timeout=SEND_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_INTERVAL_S * 1000))
        self._tracer = self._provider.get_tracer("labelyard", version("labelyard"))

    def accepted(self, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Note the root of a job's trace."""
        with self._ids.those_of(job):
            # An empty context: whatever goes on in this thread, a job begins a trace of its own.
            span = self._tracer.start_span("accept", Context(), attributes=_named(job, values), start_time=since_ns)
        span.end()

    def record(self, name: str, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Note something below the root, after the fact."""
        span = self._tracer.start_span(name, _below(job), attributes=_named(job, values), start_time=since_ns)
        span.end(max(time.time_ns(), since_ns))

    @contextmanager
    def span(self, name: str, job: TraceKey | None = None, **values: Value) -> Iterator["_Span"]:
        """Note what the block does."""
        context = None if job is None else _below(job)
        with self._tracer.start_as_current_span(name, context, attributes=_named(job, values)) as span:
            yield _Span(span)

    def close(self) -> None:
        """Send the rest."""
        self._provider.shutdown()


class _Span:
    """OpenTelemetry's span in our words."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **values: Value) -> None:
        self._span.set_attributes(_named(None, values))

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason))


class _RootIds(RandomIdGenerator):
    """Random ids, but for the roots of jobs' traces."""

    def __init__(self) -> None:
        self._job: ContextVar[TraceKey | None] = ContextVar("job", default=None)

    @contextmanager
    def those_of(self, job: TraceKey) -> Iterator[None]:
        """Give what is begun in the block the ids of a job's root."""
        token = self._job.set(job)
        try:
            yield
        finally:
            self._job.reset(token)

    def generate_trace_id(self) -> int:
        job = self._job.get()
        return super().generate_trace_id() if job is None else job.trace_id

    def generate_span_id(self) -> int:
        job = self._job.get()
        return super().generate_span_id() if job is None else job.root_span_id


def traces_url(endpoint: str) -> str:
    """A collector's URL with the path of traces, if it has none."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + TRACES_PATH


def _below(job: TraceKey) -> Context:
    sampled = TraceFlags(TraceFlags.SAMPLED)
    root = SpanContext(job.trace_id, job.root_span_id, is_remote=True, trace_flags=sampled)
    return trace.set_span_in_context(NonRecordingSpan(root), Context())


def _named(job: TraceKey | None, values: Mapping[str, Value]) -> dict[str, Any]:
    """Attributes have a name space of their own."""
    ids = {} if job is None else {"job_id": job.job_id}
    return {f"labelyard.{name}": value for name, value in (ids | dict(values)).items()}


def _resource(service: str) -> Resource:
    instance = f"{socket.gethostname()}:{os.getpid()}"
    return Resource.create(
        {"service.name": service, "service.version": version("labelyard"), "service.instance.id": instance}
    )
