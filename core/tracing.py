"""Traces, as those see them who do the work: what was done for a job, when, by whom. `spans` sends them.

All processes agree on the trace of a job without telling each other: its ids follow from the job's row. So no message
carries them, and no table. See docs/adr/0034. Nothing of OpenTelemetry is imported here.
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from core.settings import Settings

# What OpenTelemetry can hold of a value.
Value = str | int | float | bool

_NUM_TRACE_BYTES = 16
_NUM_SPAN_BYTES = 8


@dataclass(frozen=True, slots=True)
class TraceKey:
    """What a job's trace follows from: its row, as it was accepted. No part of it changes afterwards."""

    job_id: int
    created_at: float  # seconds since 1970, by the database's clock; tells jobs of several databases apart
    request_hash: str

    @property
    def trace_id(self) -> int:
        """The same in every process, 128 bits, never 0."""
        return int.from_bytes(self._digest[:_NUM_TRACE_BYTES], "big") or 1

    @property
    def root_span_id(self) -> int:
        """The span that all others of the job are below, 64 bits, never 0."""
        return int.from_bytes(self._digest[_NUM_TRACE_BYTES : _NUM_TRACE_BYTES + _NUM_SPAN_BYTES], "big") or 1

    @property
    def _digest(self) -> bytes:
        return hashlib.sha256(f"{self.job_id} {self.created_at!r} {self.request_hash}".encode()).digest()


class Span(Protocol):
    """Something that is being done."""

    def note(self, **values: Value) -> None:
        """Say something about it."""

    def fail(self, reason: str) -> None:
        """Say that it did not come to what it was begun for, and why, in a word or a sentence."""


class Tracer(Protocol):
    """Something that notes what is done for jobs."""

    @property
    def is_on(self) -> bool:
        """Whether anything becomes of it; if not, a job's key need not be asked for."""

    def accepted(self, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Note that a job was accepted just now; all else that is noted of it is below this.

        Args:
            job: which one.
            since_ns: when its request came, in nanoseconds since 1970.
            values: more about it.
        """

    def record(self, name: str, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Note something that was done for a job, after the fact."""

    def span(self, name: str, job: TraceKey | None = None, **values: Value) -> AbstractContextManager[Span]:
        """Note what the block does: for a job, or within the block around it in the same thread."""

    def close(self) -> None:
        """Send what has not been sent, for a few seconds at most."""


class NullSpan:
    """Nothing is noted."""

    def note(self, **values: Value) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""


class NullTracer:
    """For those whom nobody asks."""

    is_on = False

    def accepted(self, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Do nothing."""

    def record(self, name: str, job: TraceKey, *, since_ns: int, **values: Value) -> None:
        """Do nothing."""

    @contextmanager
    def span(self, name: str, job: TraceKey | None = None, **values: Value) -> Iterator[Span]:
        """Do nothing."""
        del name, job, values
        yield NullSpan()

    def close(self) -> None:
        """Do nothing."""


def tracer_of(settings: Settings, service: str) -> Tracer:
    """This process's tracer, made once in its life; one that does nothing where settings name no endpoint.

    Args:
        settings: where to.
        service: what this process is, as OpenTelemetry's `service.name`.
    """
    return NullTracer() if settings.otlp_endpoint is None else _make_tracer(settings.otlp_endpoint, service)


@cache
def _make_tracer(endpoint: str, service: str) -> Tracer:
    # Imported where traces are asked for: it takes 80 ms.
    from core.spans import OtlpTracer  # noqa: PLC0415

    return OtlpTracer(endpoint, service)
