"""What `serve` consists of in this set-up, and how it lives: start everything, wait, stop everything."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import structlog

from core.settings import Settings
from db.database import Database
from orchestrator.serving.dispatching import LOOK_INTERVAL_S, Dispatcher
from orchestrator.serving.services import Service, Stoppable, repeated, stop_all
from workers.supervising import LocalWorkers
from workers.sweeper import Sweeper, tell_nobody
from workers.waking import Waker

if TYPE_CHECKING:
    from orchestrator.metrics.registry import OrchestratorMetrics  # the library comes with it
    from workers.metrics.page import MetricsPage

logger = structlog.get_logger(__name__)

SUPERVISE_INTERVAL_S = 0.5
DELIVER_INTERVAL_S = 5.0
# How long everything may take to stop. Most of it takes a second; workers have a few to give back what they hold.
STOP_TIMEOUT_S = 6.0

Tick = Callable[[Database, Settings], object]
Deliver = Callable[[Database, Settings], object]


@dataclass(frozen=True, slots=True)
class Part:
    """One service, and what it tells the operator."""

    name: str
    does: str
    service: Stoppable


def parts_of(
    database: Database,
    settings: Settings,
    waker: Waker,
    *,
    tick: Tick,
    deliver: Deliver | None = None,
    metrics: "OrchestratorMetrics | None" = None,
) -> Sequence[Part]:
    """Make the services of this set-up.

    Args:
        database: the ledger.
        settings: embedded or with a broker, how often.
        waker: who wakes workers.
        tick: moves the schedules on.
        deliver: tells people what they asked to be told; None: there is nothing of the kind.
        metrics: counts what is done; None: nobody asks.

    Raises:
        BrokerError: the broker's URL cannot be used.
        SetupError: workers' figures cannot be shown where the settings say.
    """
    dispatcher = Dispatcher(database, settings, waker)
    parts = [
        _part("dispatcher", "plans and concludes jobs that nobody waits for", dispatcher.look, LOOK_INTERVAL_S),
        _sweeping(database, settings, waker, metrics),
    ]
    tick_once = _counted(partial(tick, database, settings), metrics)
    if settings.is_embedded:
        parts.append(
            _part("scheduler", f"looks at the schedules, every {settings.tick_s:g} s", tick_once, settings.tick_s)
        )
        parts += _working(database, settings)
    else:
        parts += _beating(settings, tick_once)
    if deliver is not None:
        deliver_once = partial(deliver, database, settings)
        parts.append(_part("notifier", "tells people what they asked to be told", deliver_once, DELIVER_INTERVAL_S))
    return parts


def http_part(
    database: Database, settings: Settings, waker: Waker, address: str, *, metrics: "OrchestratorMetrics"
) -> Part:
    """Make the service that answers HTTP.

    Args:
        database: the ledger.
        settings: what may be read, how much may be sent.
        waker: who wakes workers.
        address: `HOST:PORT`.
        metrics: what Prometheus is shown.

    Raises:
        UsageError: the address cannot be read, or not be served safely.
        SetupError: something else listens there.
    """
    # FastAPI costs start-up time that those need not pay who serve no HTTP.
    from orchestrator.serving.web import WebServer  # noqa: PLC0415

    server = WebServer.open(database, settings, waker, address, metrics=metrics)
    return Part("http", f"answers at {server.url}", server)


def serve(parts: Sequence[Part], told_to_stop: SimpleQueue[int]) -> None:
    """Run services until something is put into the queue."""
    services = [part.service for part in parts]
    for service in services:
        service.start()
    logger.info("serving_stops", signal=told_to_stop.get())
    if not stop_all(services, timeout_s=STOP_TIMEOUT_S):
        logger.warning("services_left_behind", timeout_s=STOP_TIMEOUT_S)


def _part(name: str, does: str, work: Callable[[], object], every_s: float) -> Part:
    return Part(name, does, Service(name, repeated(work, every_s=every_s)))


def _sweeping(database: Database, settings: Settings, waker: Waker, metrics: "OrchestratorMetrics | None") -> Part:
    interval_s = settings.sweep_interval_s
    on_sweep = tell_nobody if metrics is None else metrics.swept
    sweeper = Sweeper(database, waker, interval_s=interval_s, lease_s=settings.lease_s, on_sweep=on_sweep)
    return Part("sweeper", f"takes back what dead workers hold, every {interval_s:g} s", sweeper)


def _beating(settings: Settings, tick: Callable[[], object]) -> list[Part]:
    # Celery costs start-up time that an embedded orchestrator need not pay.
    from orchestrator.serving.beating import create_tick_app, send_ticks, take_ticks  # noqa: PLC0415

    app = create_tick_app(settings, tick)
    every = f"every {settings.tick_s:g} s"
    return [
        Part("beat", f"sends ticks to the broker, {every}", Service("beat", partial(send_ticks, app))),
        Part("scheduler", "looks at the schedules at each tick", Service("scheduler", partial(take_ticks, app))),
    ]


def _counted(tick: Callable[[], object], metrics: "OrchestratorMetrics | None") -> Callable[[], object]:
    if metrics is None:
        return tick

    def tick_and_count() -> None:
        tick()
        metrics.ticked()

    return tick_and_count


def _working(database: Database, settings: Settings) -> list[Part]:
    page = _open_page(settings)
    parts = [] if page is None else [Part("figures", f"shows what workers do, to Prometheus, at {page.url}", page)]
    work = Service("workers", partial(_supervise, database, settings, page))
    return [*parts, Part("workers", f"{settings.workers} on this machine, for any job", work)]


def _open_page(settings: Settings) -> "MetricsPage | None":
    if settings.metrics_listen is None:
        return None
    from workers.metrics.page import MetricsPage  # noqa: PLC0415 - the library need not be paid for by others

    return MetricsPage(settings.metrics_listen)


def _supervise(database: Database, settings: Settings, page: "MetricsPage | None", stopped: threading.Event) -> None:
    with LocalWorkers(settings, database, page=page) as workers:
        while not stopped.wait(SUPERVISE_INTERVAL_S):
            workers.supervise()
