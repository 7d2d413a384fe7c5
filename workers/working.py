"""Doing what the ledger hands out: claim chunks, bring each to its end, or say why not.

A worker has two chunks at a time, so that the device never waits: while one is on it, the other is read, decoded,
ranked and written. Celery tasks and the embedded loop both call `work`; neither adds to it.
"""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from itertools import count

import structlog
from sqlalchemy.orm import Session

from core.errors import (
    DamagedModelError,
    DatabaseAwayError,
    EngineError,
    LeaseLostError,
    SetupError,
    TrainingError,
    UnknownModelError,
    UsageError,
    WeightsError,
)
from core.jobs import Claim
from core.types import JobKind
from db.ledger import control, leasing
from db.ledger.progress import models_of
from db.schema import require_revision
from workers.holding import HeldLease
from workers.images.suspicion import end_over
from workers.labelling import label_chunk
from workers.metrics.counting import Fate
from workers.observing import observe
from workers.runtime import Runtime
from workers.training.jobs import train

logger = structlog.get_logger(__name__)

CHUNKS_AT_ONCE = 2
# How often a worker that has room for another chunk looks whether there is one by now.
POLL_S = 0.5


def work(runtime: Runtime, *, proposed: int | None = None, for_s: float | None = None) -> int:
    """Claim and work until the ledger has nothing more that this worker can do.

    Args:
        runtime: the worker's own things.
        proposed: the chunk that a wake-up named; the ledger may hand out another.
        for_s: claim nothing more after so many seconds; what was claimed is brought to its end.

    Returns:
        How many chunks were worked on; those that were given back at once do not count.

    Raises:
        SchemaError: the database was upgraded while this worker ran.
        SetupError: this machine lacks something that every chunk needs.
    """
    with ThreadPoolExecutor(CHUNKS_AT_ONCE, thread_name_prefix="chunk") as pool:
        return _Shift(runtime, pool, ends_at_s=None if for_s is None else time.monotonic() + for_s).run(proposed)


class _Shift:
    """The chunks that a worker has at the moment.

    A chunk that workers died over is worked on alone: if it kills this one too, no other is under suspicion. A training
    is alone as well, because it takes all there is.
    """

    def __init__(self, runtime: Runtime, pool: ThreadPoolExecutor, *, ends_at_s: float | None) -> None:
        self._runtime = runtime
        self._pool = pool
        self._ends_at_s = ends_at_s
        self._running: dict[Future[bool], int] = {}  # by what is done, the chunk that it is done for
        self._takes_no_more = False  # until what runs has ended
        self._next_job: int | None = None  # whose chunk is to be alone, and comes first once nothing runs

    def run(self, proposed: int | None) -> int:
        num_chunks = 0
        self._fill_up(proposed)
        while self._running:
            for future in wait(self._running, POLL_S, FIRST_COMPLETED).done:
                del self._running[future]
                num_chunks += future.result()
            self._fill_up(None)
        return num_chunks

    @property
    def _has_room(self) -> bool:
        if not self._running:
            self._takes_no_more = False
        is_over = self._ends_at_s is not None and time.monotonic() >= self._ends_at_s
        return len(self._running) < CHUNKS_AT_ONCE and not self._takes_no_more and not is_over

    def _fill_up(self, proposed: int | None) -> None:
        while self._has_room:
            claim = self._claim(proposed)
            if claim is None:
                return
            if _wants_to_be_alone(claim):
                self._takes_no_more = True
                if self._running:
                    # Not held meanwhile: it would be blamed for what the others do.
                    self._next_job = claim.job_id
                    _give_back(self._runtime, claim)
                    return
            self._running[self._pool.submit(_bring_to_end, self._runtime, claim)] = claim.chunk_id

    def _claim(self, proposed: int | None) -> Claim | None:
        profile, lease_s = self._runtime.profile, self._runtime.settings.lease_s
        wanted, self._next_job = self._next_job, None
        tries = count()

        def claim_one(session: Session) -> Claim | None:
            require_revision(session)
            if next(tries):
                # The try before may have committed, and lost the answer: nobody would work on what it was given.
                leasing.release_worker(session, profile.worker_id, but=[*self._running.values()])
            if wanted is not None:
                claim = leasing.claim(session, replace(profile, only_job=wanted), lease_s=lease_s)
                if claim is not None:
                    return claim
            return leasing.claim(session, profile, lease_s=lease_s, proposed=proposed)

        return self._runtime.database.transact(claim_one, grows=True)


def _wants_to_be_alone(claim: Claim) -> bool:
    return claim.deaths > 0 or claim.kind in control.TRAINING_KINDS


def _bring_to_end(runtime: Runtime, claim: Claim) -> bool:
    """Work on a chunk; False if it was given back, because its networks cannot be loaded or run here."""
    return observe(runtime, claim, partial(_end_of, runtime, claim)) is not Fate.DECLINED


def _end_of(runtime: Runtime, claim: Claim) -> Fate:
    try:
        _work_on(runtime, claim)
    except LeaseLostError:
        logger.warning("chunk_lost")
        return Fate.LOST
    except DatabaseAwayError as error:
        # What was computed is lost with it; the chunk is not, and none is to blame.
        logger.warning("chunk_given_back", problem=str(error))
        _give_back(runtime, claim)
        return Fate.GIVEN_BACK
    except (WeightsError, EngineError) as error:
        return _decline(runtime, claim, str(error))
    except UnknownModelError as error:
        # The job was accepted, so there is a version that knows it; a worker of that one takes the chunk.
        return _decline(runtime, claim, f"This worker's version of Labelyard is too old for the job: {error}")
    except (TrainingError, DamagedModelError, UsageError) as error:
        logger.error("job_failed", problem=str(error))  # noqa: TRY400 - expected, and said in full by the message
        problem = str(error)
        runtime.database.transact(lambda session: control.fail(session, claim.job_id, problem))
        return Fate.FAILED
    except SetupError:
        # It is this machine that cannot work; without this, the chunk would be blamed when its lease runs out.
        _give_back(runtime, claim)
        raise
    except MemoryError:
        # Threads that were refused memory leave nothing behind that could be relied on.
        end_over(runtime.database, claim, "The memory did not suffice.")
    return Fate.DONE


def _work_on(runtime: Runtime, claim: Claim) -> None:
    lease = HeldLease(runtime.database, claim, lease_s=runtime.settings.lease_s)
    match claim.kind:
        case JobKind.LABEL | JobKind.EVALUATE:
            label_chunk(runtime, lease)
        case JobKind.TRAIN | JobKind.RETRAIN:
            train(runtime, lease)


def _give_back(runtime: Runtime, claim: Claim) -> None:
    runtime.database.transact(lambda session: leasing.release(session, claim))


def _decline(runtime: Runtime, claim: Claim, problem: str) -> Fate:
    """Give the chunk back and ask for no more of its kind; another worker may have the weights."""
    logger.error("network_unavailable", problem=problem)
    models = runtime.database.query(lambda session: models_of(session, claim.job_id))
    networks = {model.network for model in models}
    _give_back(runtime, claim)
    runtime.decline(networks, problem)
    runtime.report()
    return Fate.DECLINED
