"""Planning: from a job's sources to its images and chunks, in constant memory, behind a cursor.

Each batch is one transaction, so a planner that dies is resumed where it stopped, and workers start on the first chunk
while later ones are still being found.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice

from core.errors import SourceError
from core.items import Item
from core.jobs import LabelOptions
from core.tracing import NullTracer, TraceKey, Tracer
from core.types import JobState
from db.database import Database
from db.ledger import accepting, control
from orchestrator.origins import Origins
from orchestrator.sources import Source, SourceSpec
from workers.access import Access

# A batch is a whole number of chunks; the first is one chunk, so that work starts at once, later ones grow to this.
MAX_BATCH_IMAGES = 8192
# Notes nothing, and remembers nothing either.
NOBODY = NullTracer()


@dataclass(frozen=True, slots=True)
class PlanCursor:
    """Where planning goes on."""

    source: int = 0  # position in the job's list of sources
    after: str | None = None  # the last item of that source that was planned
    num_skipped: int = 0  # files passed over so far

    def to_text(self) -> str:
        """Write for the ledger; ASCII, so that any file name survives."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> "PlanCursor":
        """Read what `to_text` wrote; the beginning if there is nothing."""
        return cls() if text is None else cls(**json.loads(text))


def plan(
    database: Database,
    job_id: int,
    access: Access,
    *,
    after_commit: Callable[[], object] = lambda: None,
    tracer: Tracer = NOBODY,
) -> None:
    """Plan a job to its end, from wherever it stands; one that is paused or cancelled meanwhile is left as it is.

    Args:
        database: the ledger.
        job_id: the job.
        access: what may be read here.
        after_commit: called after each batch is committed, to wake workers.
        tracer: notes each batch.

    Raises:
        SourceError: a source cannot be read any further.
    """
    while not _plan_from_cursor(database, job_id, access, after_commit, tracer):
        # Another planner of the same job has moved on, or someone has stopped the job; look where it stands now.
        continue


def plan_or_fail(
    database: Database, job_id: int, access: Access, *, after_commit: Callable[[], object], tracer: Tracer = NOBODY
) -> None:
    """Plan a job to its end; one whose sources cannot be read any further has failed, and says why.

    Raises:
        SourceError: it has failed.
        SetupError: the database or the broker is away. Nothing is wrong with the job, which can be resumed.
    """
    try:
        plan(database, job_id, access, after_commit=after_commit, tracer=tracer)
    except SourceError as error:
        problem = str(error)
        database.transact(lambda session: control.fail(session, job_id, problem))
        raise


def _plan_from_cursor(
    database: Database, job_id: int, access: Access, after_commit: Callable[[], object], tracer: Tracer
) -> bool:
    job = database.query(lambda session: control.get_job(session, job_id))
    if job.planned_at is not None or job.state is not JobState.RUNNING:
        return True
    options = LabelOptions.from_json(job.options)
    specs = [SourceSpec.from_json(source) for source in job.sources]
    num_planned, walk = job.num_planned, _Walk(specs, Origins(database, access), PlanCursor.from_text(job.plan_cursor))
    key = TraceKey(job.id, job.created_at, job.request_hash)
    began_at_ns = time.time_ns()
    for batch in _batches(walk, options.chunk_size):
        items, cursor = [item for item, _ in batch], batch[-1][1]
        append = partial(
            accepting.append_items,
            job_id=job_id,
            items=items,
            after=num_planned,
            cursor=cursor.to_text(),
            chunk_size=options.chunk_size,
        )
        moved = database.transact(append, grows=True)
        if not moved:
            return False
        num_planned += len(items)
        tracer.record("plan", key, since_ns=began_at_ns, num_images=len(items))
        after_commit()
        began_at_ns = time.time_ns()
    num_skipped = walk.num_skipped
    database.transact(lambda session: accepting.finish_planning(session, job_id, num_skipped=num_skipped))
    after_commit()
    return True


def _batches(walk: "_Walk", chunk_size: int) -> Iterator[list[tuple[Item, PlanCursor]]]:
    stream = iter(walk)
    num_chunks = 1
    max_chunks = max(1, MAX_BATCH_IMAGES // chunk_size)
    while batch := list(islice(stream, num_chunks * chunk_size)):
        yield batch
        num_chunks = min(2 * num_chunks, max_chunks)


class _Walk:
    """All items of a job's sources behind a cursor, each with the cursor behind it."""

    def __init__(self, specs: list[SourceSpec], origins: Origins, start: PlanCursor) -> None:
        self._specs = specs
        self._origins = origins
        self._start = start
        self._num_skipped_before = start.num_skipped
        self._source: Source | None = None

    @property
    def num_skipped(self) -> int:
        """Files passed over so far, by all planners of the job."""
        return self._num_skipped_before + (self._source.num_skipped if self._source else 0)

    def __iter__(self) -> Iterator[tuple[Item, PlanCursor]]:
        for number, spec in enumerate(self._specs[self._start.source :], start=self._start.source):
            self._num_skipped_before = self.num_skipped
            self._source = self._origins.open(spec)
            for item in self._source.items(self._start.after if number == self._start.source else None):
                yield item, PlanCursor(number, item.cursor, self.num_skipped)
