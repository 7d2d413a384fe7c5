"""The real ledger on SQLite in memory, with the simulation's clock in place of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from benchmarks.scale_sim.loop import Loop
from benchmarks.scale_sim.scenario import Scenario
from core.items import FileLocator, Item
from core.jobs import Claim, JobRequest, LabelOptions, Outcome, Prediction, SweepReport, WorkerProfile
from core.types import ChunkState, JobState
from db.clock import now_s
from db.database import Database
from db.ledger import accepting, leasing, sweeping
from db.ledger.progress import progress
from db.models import ensure_model
from db.schema import upgrade
from db.tables import ChunkTable, ImageTable, JobTable, ResultTable, chunk_is

Result = TypeVar("Result")
NETWORK = "mobilenet-0.75"
# The ledger tells workers apart by their claims' attempts; one profile for all lets it build its query once.
ANY_WORKER = WorkerProfile("simulated", warm=frozenset({NETWORK}))
PREDICTION = Prediction((7,), (0.75,))
# 1 January 1970 as a Julian day; db.clock subtracts it again.
UNIX_EPOCH_JULIAN_DAY = 2440587.5
SECONDS_PER_DAY = 86_400.0
# Simulated time begins here, so that no time is zero.
START_S = 1e6
# Queued chunks that a sweep looks for: as many as it would send wake-ups.
MAX_WAKE_UPS = 64


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did and found."""

    report: SweepReport
    expired: Sequence[int]  # chunks whose leases had run out
    num_queued: int  # up to as many as get a wake-up


class SimulatedLedger:
    """Jobs, chunks and rows; every call is one transaction in no time.

    Args:
        loop: the simulated clock. `db.clock` asks SQLite's function `julianday`, which is replaced by it, so that every
            statement is exactly the product's.
        scenario: how much work there is.
    """

    def __init__(self, loop: Loop, scenario: Scenario) -> None:
        self._database = Database("sqlite:///:memory:")
        self._lease_s = scenario.lease_s

        @event.listens_for(self._database.engine, "connect")
        def _replace_clock(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
            connection.create_function(
                "julianday", 1, lambda _: UNIX_EPOCH_JULIAN_DAY + (START_S + loop.now_s) / SECONDS_PER_DAY
            )

        upgrade(self._database)
        sizes = [scenario.num_chunks // scenario.jobs] * scenario.jobs
        self.num_images = 0
        for number, num_chunks in enumerate(sizes):
            self._plan(number, num_chunks, scenario.rows_per_chunk)

    def claim(self) -> Claim | None:
        """Lease a chunk, as a worker does."""
        return self._write(lambda session: leasing.claim(session, ANY_WORKER, lease_s=self._lease_s))

    def renew(self, lease: Claim, num_processed: int) -> bool:
        """Prolong a lease; False if it is another worker's."""
        return self._write(
            lambda session: leasing.renew(session, lease, lease_s=self._lease_s, num_processed=num_processed)
        )

    def finish(self, lease: Claim) -> bool:
        """Write the rows of a chunk; False, and nothing is written, if it is another worker's."""
        outcomes = self._outcomes(lease)
        return self._write(lambda session: leasing.finish(session, lease, outcomes))

    def sweep(self) -> Swept:
        """Take back leases that ran out, end jobs."""

        def sweep(session: Session) -> Swept:
            ran_out = select(ChunkTable.id).where(chunk_is(ChunkState.LEASED), ChunkTable.lease_expires_at < now_s())
            expired = session.scalars(ran_out).all()
            report = sweeping.sweep(session)
            running = select(JobTable.id).where(JobTable.state == JobState.RUNNING)
            queued = select(ChunkTable.id).where(ChunkTable.job_id.in_(running), chunk_is(ChunkState.QUEUED))
            return Swept(report, expired, len(session.scalars(queued.limit(MAX_WAKE_UPS)).all()))

        return self._write(sweep)

    def breaches(self) -> Iterator[str]:
        """What is not as the contract says, as sentences: every image has exactly one row, every job has ended."""
        with self._database.read() as session:
            for job in session.scalars(select(JobTable)):
                if job.state is not JobState.DONE:
                    yield f"Job {job.id} is {job.state} and not done."
                images = select(func.count()).where(ImageTable.job_id == job.id)
                rows = select(func.count(), func.count(func.distinct(ResultTable.ordinal)))
                num_images = session.scalars(images).one()
                num_rows, num_with_row = session.execute(rows.where(ResultTable.job_id == job.id)).one()
                if not num_images == num_rows == num_with_row:
                    yield f"Job {job.id}: {num_images} images, {num_with_row} with a row, {num_rows} rows."
                counted = progress(session, job.id)
                if counted.num_finished != num_images:
                    yield f"Job {job.id}: chunks count {counted.num_finished} of {num_images} images."

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def _plan(self, number: int, num_chunks: int, rows_per_chunk: int) -> None:
        num_images = num_chunks * rows_per_chunk
        items = [Item(name := f"{n}.jpg", FileLocator(name), name) for n in range(num_images)]
        with self._database.write() as session:
            self._model_id = ensure_model(session, name=f"imagenet:{NETWORK}", version=1, backbone=NETWORK)
            options = LabelOptions(chunk_size=rows_per_chunk)
            request = JobRequest(f"job {number}", (self._model_id,), [{"text": "simulated"}], str(number), options)
            job_id = accepting.accept(session, request)
            accepting.append_items(session, job_id, items, after=0, cursor="end", chunk_size=rows_per_chunk)
            accepting.finish_planning(session, job_id, num_skipped=0)
        self.num_images += num_images

    def _outcomes(self, lease: Claim) -> list[Outcome]:
        ordinals = range(lease.first_ordinal, lease.last_ordinal + 1)
        return [Outcome(ordinal, self._model_id, PREDICTION) for ordinal in ordinals]

    def _write(self, work: Callable[[Session], Result]) -> Result:
        with self._database.write() as session:
            return work(session)
