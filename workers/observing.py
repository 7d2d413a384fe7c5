"""What others see of a chunk that is worked on: log lines with its ids, a span of its job's trace, counters.

Only looks on: whatever becomes of a chunk becomes of it without this module too.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import structlog
from structlog.contextvars import bound_contextvars

from core.errors import LabelyardError
from core.jobs import Claim
from core.tracing import NullSpan, Span
from db.ledger.tracing import trace_key
from workers.metrics.counting import Fate
from workers.runtime import Runtime

logger = structlog.get_logger(__name__)


def observe(runtime: Runtime, claim: Claim, work: Callable[[], Fate]) -> Fate:
    """Observe the work on a chunk.

    Args:
        runtime: the worker's own things.
        claim: what was leased.
        work: brings it to its end; if it raises, the chunk was given back.

    Returns:
        What became of the chunk.
    """
    started_at_s = time.monotonic()
    fate = Fate.GIVEN_BACK
    with bound_contextvars(job_id=claim.job_id, chunk_id=claim.chunk_id), _span_of(runtime, claim) as span:
        try:
            fate = work()
        finally:
            duration_s = time.monotonic() - started_at_s
            runtime.metrics.ended(claim.kind, fate, duration_s)
            span.note(fate=fate)
            if fate is Fate.DONE:
                logger.info("chunk_done", num_images=claim.num_images, duration_s=round(duration_s, 3))
            else:
                span.fail(fate)
    return fate


def _span_of(runtime: Runtime, claim: Claim) -> AbstractContextManager[Span]:
    if not runtime.tracer.is_on:
        return nullcontext(NullSpan())
    try:
        with runtime.database.read() as session:
            key = trace_key(session, claim.job_id)
    except LabelyardError as error:
        # A trace is worth less than the work.
        logger.warning("chunk_not_traced", problem=str(error))
        return nullcontext(NullSpan())
    return runtime.tracer.span(
        "chunk",
        key,
        chunk_id=claim.chunk_id,
        attempt=claim.attempt,
        kind=claim.kind,
        num_images=claim.num_images,
        worker_id=claim.worker_id,
    )
