"""Celery's tasks, a few lines each, and what happens as a worker's processes start and stop.

Imported by the parent (which never imports TensorFlow) and by its one child (which computes).
"""

import os
import signal
import socket
from collections.abc import Callable, Sequence
from functools import cache

import structlog
from celery import current_app, shared_task
from celery.apps import worker as celery_worker
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from sqlalchemy.orm import Session

from core.errors import DatabaseError, SchemaError
from core.logs import configure_logging, log_the_rest
from core.queues import LABEL_CHUNK_TASK, TRAIN_TASK, Queue, kinds_of
from core.settings import LogFormat, Settings
from db import workers as worker_store
from db.database import Database
from db.ledger import leasing, sweeping
from db.workers import WorkerIdentity
from workers.broker import BrokerWaker
from workers.building import build_runtime
from workers.naming import default_worker_id
from workers.runtime import Runtime
from workers.streams import redirect_native_output
from workers.sweeper import OnSweep, Sweeper, tell_nobody
from workers.waking import wake
from workers.working import work

logger = structlog.get_logger(__name__)

# How long a task goes on claiming chunks. One task for each would let the device wait in between; one without an end
# would tell whoever watches Flower nothing.
MAX_TASK_S = 30.0
# The parent names the worker, its child inherits the name with the environment.
WORKER_ID_VARIABLE = "LABELYARD_WORKER_ID"
# And what it takes.
QUEUES_VARIABLE = "LABELYARD_QUEUES"
# What a parent that was told to stop tells its child; the latter in Celery's remapping, see `app`.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGQUIT)


@shared_task(name=LABEL_CHUNK_TASK)  # type: ignore[untyped-decorator]
def label_chunk(job: int, chunk: int) -> None:
    """Label chunks for a while: this one first, or a more urgent one, as the ledger decides."""
    _work(job, chunk)


@shared_task(name=TRAIN_TASK)  # type: ignore[untyped-decorator]
def train(job: int, chunk: int) -> None:
    """Train one model: this one, or a more urgent one, as the ledger decides."""
    _work(job, chunk)


def _work(job: int, chunk: int) -> None:
    # Here, because Celery sets its own when the child has started.
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    runtime = child_runtime()
    try:
        num_chunks = work(runtime, proposed=chunk, for_s=MAX_TASK_S)
    except SchemaError as error:
        logger.error("worker_outdated", problem=str(error))  # noqa: TRY400 - said in full by the message
        problem = str(error)
        runtime.database.transact(lambda session: worker_store.decline_all(session, runtime.identity.id, problem))
        return
    if num_chunks == 0:
        # Waking again at once would find nothing again; the sweeper does it in its own time.
        logger.info("nothing_to_do", job_id=job, chunk_id=chunk)
        return
    wake(BrokerWaker(current_app, runtime.database))


@cache
def child_runtime() -> Runtime:
    """The computing child's runtime, made once in its life."""
    identity = WorkerIdentity(id=os.environ[WORKER_ID_VARIABLE], host=socket.gethostname(), pid=os.getpid())
    queues = os.environ.get(QUEUES_VARIABLE, "").split(",")
    return build_runtime(Settings(), identity, kinds=kinds_of(Queue(name) for name in queues if name))


def _stop(*_: object) -> None:
    """End this child, and give back what it has.

    Celery ends a task by an exception, behind which the threads that work on chunks would bring them to their end; with
    large chunks of slow images that takes minutes. The thread that claims chunks is the one that this interrupts, so
    none is claimed any more.
    """
    _release(leasing.release_worker, "child_stopped")
    child_runtime().tracer.close()
    os._exit(os.EX_OK)


@setup_logging.connect  # type: ignore[untyped-decorator]
def configure_worker_logging(**_: object) -> None:
    """Have all lines of this process say which worker it is of; a name that it was given."""
    configure_logging(Settings(), worker_id=os.environ.get(WORKER_ID_VARIABLE))
    log_the_rest(logger)


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def _leave_lines_to_logging(**_: object) -> None:
    # By this, Celery has children write lines of another kind before they have set up their logging.
    os.environ.pop("_MP_FORK_LOGLEVEL_", None)
    if Settings().log_format is LogFormat.JSON:
        # It tells a terminal, past all logging, how it stops; `worker_stopped` says the same to programs.
        celery_worker.safe_say = lambda *_: None


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start_child(**_: object) -> None:
    redirect_native_output()
    configure_worker_logging()
    _take_back()
    child_runtime().report()


def _take_back() -> None:
    """Take back what this worker's last child held: only its end can have made the parent start another one."""
    database = Database.of(Settings())
    report = database.transact(lambda session: sweeping.worker_died(session, os.environ[WORKER_ID_VARIABLE]))
    if report.num_requeued or report.num_bisected or report.num_given_up:
        logger.warning("child_died", num_requeued=report.num_requeued, num_bisected=report.num_bisected)
        # Before this child has loaded anything, another worker may have it.
        wake(BrokerWaker(current_app, database))
    database.close()


def sweep_when_ready(on_sweep: OnSweep | None = None) -> None:
    """Have the worker whose parent process this is sweep from when it is ready.

    Args:
        on_sweep: told what each sweep mended; None: nobody asks.
    """

    def start(**_: object) -> None:
        settings = Settings()
        database = Database.of(settings)
        sweeper = Sweeper(
            database,
            BrokerWaker(current_app, database),
            interval_s=settings.sweep_interval_s,
            lease_s=settings.lease_s,
            worker_id=os.environ[WORKER_ID_VARIABLE],
            on_sweep=on_sweep or tell_nobody,
        )
        sweeper.start()

    worker_ready.connect(start, weak=False)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _give_back(**_: object) -> None:
    _release(worker_store.stop, "worker_stopped")


def _release(release: Callable[[Session, str], int], event: str) -> None:
    """Give back what this worker has, and log it as an event."""
    database = Database.of(Settings())
    try:
        with database.write() as session:
            num_chunks = release(session, os.environ[WORKER_ID_VARIABLE])
    except DatabaseError as error:
        # The leases run out.
        logger.warning("chunks_not_given_back", problem=str(error))
    else:
        logger.info(event, num_chunks=num_chunks)
    finally:
        database.close()


def name_this_worker(queues: Sequence[str]) -> str:
    """Name the worker whose parent process this is, and say what it takes.

    Args:
        queues: what it listens to.
    """
    os.environ[QUEUES_VARIABLE] = ",".join(queues)
    return os.environ.setdefault(WORKER_ID_VARIABLE, default_worker_id())
