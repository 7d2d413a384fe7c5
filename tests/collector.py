"""A collector of traces for tests: takes OTLP's protobuf over HTTP and keeps the spans."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from web_servers import Quiet, serving


@dataclass(frozen=True)
class FoundSpan:
    """One span, as it came."""

    name: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes  # empty: a root
    service: str
    values: dict[str, Any]  # without our prefix
    start_ns: int
    end_ns: int
    has_failed: bool


@dataclass
class Collector:
    """What came so far."""

    url: str = ""
    spans: list[FoundSpan] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def named(self, name: str) -> list[FoundSpan]:
        """The spans of a name, oldest first."""
        with self.lock:
            return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_ns)

    def take(self, path: str, body: bytes) -> None:
        """Keep what a request brought."""
        request = ExportTraceServiceRequest.FromString(body)
        with self.lock:
            self.paths.append(path)
            for resource in request.resource_spans:
                service = _values(resource.resource.attributes)["service.name"]
                spans = [span for scope in resource.scope_spans for span in scope.spans]
                self.spans += [_read(span, service) for span in spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens while the block runs."""
    collector = Collector()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as url:
        collector.url = url
        yield collector


def _values(attributes: Any) -> dict[str, Any]:
    return {
        each.key.removeprefix("labelyard."): getattr(each.value, each.value.WhichOneof("value")) for each in attributes
    }


def _read(span: Any, service: str) -> FoundSpan:
    return FoundSpan(
        name=span.name,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        service=service,
        values=_values(span.attributes),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        has_failed=span.status.code == span.status.STATUS_CODE_ERROR,
    )
