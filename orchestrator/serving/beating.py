"""Ticks through the broker: Celery beat sends them, a Celery worker within `serve` takes them.

So one tick serves any number of orchestrators, and Flower shows it. Beat's own memory is not needed: the database knows
what is due, and a tick too many or too few changes nothing. Knows nothing of what a tick does.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from celery import Celery, beat
from celery.worker import WorkController, state

from core.errors import BrokerError, SetupError
from core.queues import MAX_TICKS, SCHEDULE_QUEUE, TICK_TASK
from core.settings import Settings
from workers.app import create_app
from workers.broker import num_waiting
from workers.naming import default_worker_id

logger = structlog.get_logger(__name__)

# Celery's own name for the moment at which a worker is to end; see `celery.worker.state`.
_CLEAN_END = 0


def create_tick_app(settings: Settings, tick: Callable[[], object]) -> Celery:
    """Make the app of the orchestrator's own Celery worker and of its beat.

    Raises:
        BrokerError: no broker is set, or its URL cannot be used.
    """
    app = create_app(settings, include=())
    # In lists of their own, not in those of workers, who may not put ticks back; see docs/how-to/secure.md.
    app.conf.broker_transport_options |= {
        "unacked_key": f"{SCHEDULE_QUEUE}.unacked",
        "unacked_index_key": f"{SCHEDULE_QUEUE}.unacked_index",
        "unacked_mutex_key": f"{SCHEDULE_QUEUE}.unacked_mutex",
    }

    def tick_once() -> None:
        try:
            tick()
        except SetupError as error:
            # A database that is away comes back; the next tick finds out.
            logger.warning("tick_failed", problem=str(error))

    # Confirmed before the work: one that is lost is made up for by the next.
    app.task(name=TICK_TASK, acks_late=False, shared=False)(tick_once)
    app.conf.beat_schedule = {
        "tick": {
            "task": TICK_TASK,
            "schedule": settings.tick_s,
            "options": {"retry": False},
            # Long ago, so that the first is sent at once.
            "last_run_at": datetime.fromtimestamp(0, UTC),
        }
    }
    return app


class _Scheduler(beat.Scheduler):  # type: ignore[misc]
    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ANN401 - Celery's own
        """Send a tick, unless enough of them wait for an orchestrator that has time."""
        try:
            if num_waiting(self.app, SCHEDULE_QUEUE) < MAX_TICKS:
                self.apply_async(entry, producer=producer, advance=False)
        except (BrokerError, beat.SchedulingError) as error:
            # It comes back; the next tick finds out.
            logger.warning("tick_not_sent", problem=str(error))


def send_ticks(app: Celery, stopped: threading.Event) -> None:
    """Send ticks until told to stop: Celery beat, without its file and its signals."""
    scheduler = _Scheduler(app)
    try:
        while not stopped.is_set():
            stopped.wait(scheduler.tick())
    finally:
        scheduler.close()


def take_ticks(app: Celery, stopped: threading.Event) -> None:
    """Take ticks until told to stop: a Celery worker of one thread, this one."""
    state.should_stop = None
    # A task is looked up in the app of its thread.
    app.set_current()
    worker = WorkController(
        app=app,
        hostname=f"orchestrator@{default_worker_id().replace(':', '-')}",
        queues=[SCHEDULE_QUEUE],
        pool="solo",
        without_gossip=True,
        without_mingle=True,
    )
    threading.Thread(target=_end, args=(stopped,), name="end of ticks", daemon=True).start()
    worker.start()


def _end(stopped: threading.Event) -> None:
    # The worker's loop asks once a second.
    stopped.wait()
    state.should_stop = _CLEAN_END
