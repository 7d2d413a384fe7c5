"""Bringing an accepted job to its end: plan it, keep workers going, tell someone how far it is.

Embedded, this process supervises its own workers; with a broker it only wakes and sweeps. Either way the ledger says
when the job has ended.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from core.errors import WeightsError
from core.jobs import Progress
from core.settings import Settings
from core.tracing import Tracer
from core.types import JobState
from db.database import Database
from db.ledger import control
from db.ledger.closing import close_finished_jobs
from db.ledger.progress import models_of, progress
from db.workers import live_workers, reason_to_wait
from orchestrator import waiting
from orchestrator.planning import NOBODY, plan_or_fail
from orchestrator.tracing import orchestrator_tracer
from workers.access import Access
from workers.naming import default_worker_id
from workers.supervising import LocalWorkers
from workers.sweeper import Sweeper
from workers.waking import NullWaker, Waker, wake

POLL_INTERVAL_S = 0.25
# A job in which nothing has happened for so long is looked at more closely.
STILL_AFTER_S = 5.0

Supervise = Callable[[], None]


def make_waker(settings: Settings, database: Database) -> Waker:
    """What wakes workers in this set-up.

    Raises:
        BrokerError: a broker is set and does not answer.
    """
    if settings.is_embedded:
        return NullWaker()
    # Celery costs start-up time that embedded commands need not pay.
    from workers.app import create_app  # noqa: PLC0415
    from workers.broker import BrokerWaker  # noqa: PLC0415

    waker = BrokerWaker(create_app(settings), database)
    waker.num_waiting()
    return waker


class Listener(Protocol):
    """Someone who is told how a job goes."""

    def update(self, progress: Progress) -> None:
        """The job is so far; several times a second."""

    def waits(self, reason: str) -> None:
        """Nothing has happened for a while, for this reason."""


def run_to_end(database: Database, settings: Settings, job_id: int, waker: Waker, listener: Listener) -> None:
    """Plan a job and wait until it has ended.

    Args:
        database: the ledger.
        settings: how many workers, how often to sweep.
        job_id: the job.
        waker: what wakes workers.
        listener: told how far the job is, and why it waits.

    Raises:
        SetupError: workers cannot start.
        LabelyardError: planning failed; the job has then failed too.
    """
    planner = Planner(database, job_id, Access.of(settings), waker, tracer=orchestrator_tracer(settings))
    stillness = _Stillness(database, settings, job_id)
    with _workers(database, settings, job_id, waker) as supervise:
        planner.start()
        while True:
            supervise()
            planner.check()
            state, so_far = _look(database, job_id)
            listener.update(so_far)
            if state.is_final or state is JobState.PAUSED:
                return
            if reason := stillness.reason(so_far):
                listener.waits(reason)
            _require_able_workers(database, job_id, own_prefix=default_worker_id() if settings.is_embedded else "")
            time.sleep(POLL_INTERVAL_S)


class _Stillness:
    """Notices when nothing happens, and finds out why."""

    def __init__(self, database: Database, settings: Settings, job_id: int) -> None:
        self._database = database
        self._around = waiting.surroundings(settings, database)
        self._job_id = job_id
        self._progress: Progress | None = None
        self._looks_again_at_s = 0.0

    def reason(self, progress: Progress) -> str | None:
        """Why it is still, each time that it has been for a while."""
        now_s = time.monotonic()
        if progress == self._progress and now_s < self._looks_again_at_s:
            return None
        is_still = progress == self._progress
        self._progress, self._looks_again_at_s = progress, now_s + STILL_AFTER_S
        return self._database.query(lambda session: self._ask(session, progress)) if is_still else None

    def _ask(self, session: Session, progress: Progress) -> str | None:
        return waiting.reason_to_wait(session, control.get_job(session, self._job_id), progress, self._around)


def _look(database: Database, job_id: int) -> tuple[JobState, Progress]:
    state, so_far = database.query(lambda session: (control.get_job(session, job_id).state, progress(session, job_id)))
    if state is JobState.RUNNING and so_far.is_planned and so_far.num_finished == so_far.num_planned:
        # The last two chunks may have ended in the same moment, each unseen by the other.
        database.transact(lambda session: close_finished_jobs(session, job_id=job_id))
        state = database.query(lambda session: control.get_job(session, job_id).state)
    return state, so_far


def _require_able_workers(database: Database, job_id: int, *, own_prefix: str) -> None:
    """Do not wait for workers that have all said that they cannot do it.

    Embedded, only this process's own children count, which begin their names with its own.
    """

    def find_problem(session: Session) -> str | None:
        networks = [model.network for model in models_of(session, job_id)]
        workers = [worker for worker in live_workers(session, job_id) if worker.id.startswith(own_prefix)]
        return reason_to_wait(workers, networks) if workers else None

    problem = database.query(find_problem)
    if problem is not None:
        raise WeightsError(f"Every worker declines job {job_id}, which waits in the ledger: {problem}")


class Planner:
    """Planning in a thread, so that workers start while images are still being found.

    Args:
        database: the ledger.
        job_id: the job to plan.
        access: what may be read here.
        waker: woken after each batch.
        tracer: notes each batch.
    """

    def __init__(
        self, database: Database, job_id: int, access: Access, waker: Waker, *, tracer: Tracer = NOBODY
    ) -> None:
        self._plan = partial(plan_or_fail, database, job_id, access, after_commit=lambda: wake(waker), tracer=tracer)
        self._future: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether planning is over, well or not."""
        return self._future.done()

    def check(self) -> None:
        """Raise what planning raised, if it did."""
        if self._future.done():
            self._future.result()

    def _run(self) -> None:
        try:
            self._plan()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that watches, whatever it is
            self._future.set_exception(error)
        else:
            self._future.set_result(None)


@contextmanager
def _workers(database: Database, settings: Settings, job_id: int, waker: Waker) -> Iterator[Supervise]:
    if settings.is_embedded:
        with LocalWorkers(settings, database, only_job=job_id) as workers:
            yield workers.supervise
        return
    sweeper = Sweeper(database, waker, interval_s=settings.sweep_interval_s, lease_s=settings.lease_s)
    sweeper.start()
    try:
        yield lambda: None
    finally:
        sweeper.stop()
