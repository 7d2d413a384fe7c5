"""Services: threads with one lifecycle. What fails is logged and begun again, so that no service is silently dead.

Knows nothing of what a service does.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from core.errors import SetupError

logger = structlog.get_logger(__name__)

# How long to wait before a service that failed is begun again: doubled each time, up to the second.
FIRST_BACK_OFF_S = 1.0
MAX_BACK_OFF_S = 60.0

# Works until it is told to stop. Returning or raising before that is a failure.
Work = Callable[[threading.Event], None]


class Stoppable(Protocol):
    """What `serve` starts and stops."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End; returns when it has."""


class Service:
    """Work in a thread of its own, begun again with growing patience whenever it fails.

    Args:
        name: for the log and the thread.
        work: what it does until it is told to stop.
    """

    def __init__(self, name: str, work: Work) -> None:
        self._name = name
        self._work = work
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        back_off_s = FIRST_BACK_OFF_S
        while not self._stopped.is_set():
            began_at_s = time.monotonic()
            self._attempt()
            if time.monotonic() - began_at_s >= MAX_BACK_OFF_S:
                # It went well for a while, so this is another problem than the last one.
                back_off_s = FIRST_BACK_OFF_S
            self._stopped.wait(back_off_s)
            back_off_s = min(2 * back_off_s, MAX_BACK_OFF_S)

    def _attempt(self) -> None:
        try:
            self._work(self._stopped)
        except SetupError as error:
            # Said in full by the message; a database or broker that is away comes back.
            logger.warning("service_failed", service=self._name, problem=str(error))
        except (Exception, SystemExit):  # Celery ends by the latter; nobody would notice the end of this thread
            logger.exception("service_failed", service=self._name)
        else:
            if not self._stopped.is_set():
                logger.warning("service_failed", service=self._name, problem="It ended before it was told to.")


def repeated(work: Callable[[], object], *, every_s: float) -> Work:
    """Do something at once, and again and again, with a pause in between."""

    def run(stopped: threading.Event) -> None:
        while not stopped.is_set():
            work()
            stopped.wait(every_s)

    return run


def stop_all(services: Sequence[Stoppable], *, timeout_s: float) -> bool:
    """Stop services at the same time.

    Args:
        services: those that were started.
        timeout_s: how long they may take together. Their threads end with the process anyway, and the ledger has been
            made for processes that end at any time.

    Returns:
        Whether all have stopped.
    """
    give_up_at_s = time.monotonic() + timeout_s
    threads = [threading.Thread(target=service.stop, daemon=True) for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up_at_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
