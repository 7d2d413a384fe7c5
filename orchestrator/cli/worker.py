"""`labelyard worker`: a worker that stays. With a broker it is a Celery worker, without one it claims by itself."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from core.queues import Queue

if TYPE_CHECKING:
    from core.settings import Settings
    from orchestrator.cli.context import Context
    from workers.metrics.page import MetricsPage


def worker(
    more: Annotated[
        Optional[list[str]], typer.Argument(help="More names for --preload.", metavar="NAME", show_default=False)
    ] = None,
    *,
    queues: Annotated[str, typer.Option(help="Which work to take: label, train, or both.")] = "label,train",
    preload: Annotated[
        Optional[list[str]],
        typer.Option(help="Load these backbones at the start: NAME, or NAME,NAME; may be given again.", metavar="NAME"),
    ] = None,
) -> None:
    """Run a worker until it is stopped (Ctrl-C, SIGTERM)."""
    from core.errors import UsageError
    from orchestrator.cli.context import open_context, warn_of_missing_roots

    names = [name.strip() for name in queues.split(",")]
    if unknown := sorted(set(names) - {queue.value for queue in Queue}):
        raise UsageError(f"There is no queue {unknown[0]!r}. Expected one of: {', '.join(Queue)}.")
    listened = [Queue(name) for name in names]
    if more and not preload:
        raise UsageError(f"Received {more[0]!r}, expected options alone. To load a backbone: --preload {more[0]}.")
    if preload:
        # Children read their settings from the environment.
        os.environ["LABELYARD_PRELOAD"] = ",".join([*preload, *(more or [])])
    with open_context() as context:
        warn_of_missing_roots(context.settings)
        if context.settings.is_embedded:
            with _showing_figures(context.settings) as page:
                _work_embedded(context, listened, page)
    if not context.settings.is_embedded:
        with _showing_figures(context.settings) as page:
            _work_for_broker(context, listened, page)


def _work_embedded(context: "Context", queues: list[Queue], page: "MetricsPage | None") -> None:
    import signal

    from orchestrator.cli.printing import print_line
    from workers.supervising import LocalWorkers

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with LocalWorkers(context.settings, context.database, queues=queues, page=page) as workers:
        print_line(f"{context.settings.workers} worker process(es) on {context.database.safe_url}. Ctrl-C stops them.")
        try:
            while True:
                workers.supervise()
                time.sleep(0.5)
        except KeyboardInterrupt:
            print_line("Stopped; what was in progress has been given back.")


def _work_for_broker(context: "Context", queues: list[Queue], page: "MetricsPage | None") -> None:
    from db.database import Database
    from db.workers import WorkerIdentity
    from orchestrator.watching import make_waker
    from workers.app import create_app, prepare_worker_environment

    prepare_worker_environment()
    make_waker(context.settings, context.database)
    from workers.building import require_fitness
    from workers.tasks import configure_worker_logging, name_this_worker, sweep_when_ready

    if page is not None:
        # The child that computes gets the environment of this process.
        os.environ.update(page.environment)
    worker_id = name_this_worker(queues)
    # Celery would do so later, when it has said something already.
    configure_worker_logging()
    sweep_when_ready(None if page is None else page.swept)
    # The child that computes would find out as well, but Celery would start another in its place.
    identity = WorkerIdentity(worker_id, socket.gethostname(), os.getpid())
    database = Database.of(context.settings)
    require_fitness(context.settings, identity, database)
    database.close()
    app = create_app(context.settings)
    app.worker_main(_celery_arguments(context.settings, worker_id, queues))


def _celery_arguments(settings: "Settings", worker_id: str, queues: list[Queue]) -> list[str]:
    from core.settings import LogFormat

    # Its banner is no log line.
    quiet = ["--quiet"] if settings.log_format is LogFormat.JSON else []
    return [
        *quiet,
        "worker",
        f"--hostname={worker_id.replace(':', '-')}",
        f"--queues={','.join(queues)}",
        f"--loglevel={settings.log_level}",
        "--without-gossip",
        "--without-mingle",
    ]


@contextmanager
def _showing_figures(settings: "Settings") -> Iterator["MetricsPage | None"]:
    """Show this worker's figures while the block runs, if anybody may ask.

    Raises:
        SetupError: nobody can listen where the settings say.
    """
    if settings.metrics_listen is None:
        yield None
        return
    import structlog

    from workers.metrics.page import MetricsPage

    with MetricsPage(settings.metrics_listen) as page:
        structlog.get_logger(__name__).info("figures_shown", url=page.url)
        yield page
