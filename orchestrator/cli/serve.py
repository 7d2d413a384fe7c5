"""`labelyard serve`, `labelyard up`: the orchestrator as a process that stays."""

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from queue import SimpleQueue

DEFAULT_ADDRESS = "127.0.0.1:8600"

Listen = Annotated[
    Optional[str],
    typer.Option(
        help="Where to answer HTTP: the API, the dashboard. LABELYARD_LISTEN if not said.", metavar="HOST:PORT"
    ),
]


def serve(*, listen: Listen = None) -> None:
    """Plan, schedule, sweep and conclude until stopped (Ctrl-C, SIGTERM); without a broker, work as well."""
    _serve(listen, default=None)


def up(*, listen: Listen = None) -> None:
    """Start all of Labelyard on this machine: the dashboard and the HTTP API, schedules and a worker."""
    _serve(listen, default=DEFAULT_ADDRESS)


def _serve(listen: str | None, *, default: str | None) -> None:
    from orchestrator.cli.context import open_context, warn_of_missing_roots
    from orchestrator.cli.printing import print_line
    from orchestrator.metrics.registry import OrchestratorMetrics
    from orchestrator.notifying import notify_and_deliver
    from orchestrator.notifying.channels import channels_of
    from orchestrator.scheduling.ticking import tick
    from orchestrator.serving.orchestrator import http_part, parts_of
    from orchestrator.serving.orchestrator import serve as run
    from orchestrator.watching import make_waker

    received = _until_signalled()
    with open_context() as context:
        warn_of_missing_roots(context.settings)
        waker = make_waker(context.settings, context.database)
        deliver = notify_and_deliver if channels_of(context.settings) else None
        address = listen or context.settings.listen or default
        metrics = None if address is None else OrchestratorMetrics(context.database, context.settings)
        parts = list(parts_of(context.database, context.settings, waker, tick=tick, deliver=deliver, metrics=metrics))
        if address is not None and metrics is not None:
            parts.append(http_part(context.database, context.settings, waker, address, metrics=metrics))
        width = max(len(part.name) for part in parts)
        for part in parts:
            print_line(f"{part.name:<{width}}  {part.does}")
        print_line(f"Serving {context.database.safe_url}. Ctrl-C or SIGTERM stops it.")
        run(parts, received)
        print_line("Stopped; what was in progress goes on with the next `labelyard serve`, or with any worker.")


def _until_signalled() -> "SimpleQueue[int]":
    """Somewhere that the first signal to stop is put; the second ends the process at once."""
    import signal
    from queue import SimpleQueue

    numbers = (signal.SIGINT, signal.SIGTERM)
    # Its `put` may interrupt its `get`; an event's lock might be held by the very thread that the signal interrupts.
    received: SimpleQueue[int] = SimpleQueue()

    def stop(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        received.put(number)

    for number in numbers:
        signal.signal(number, stop)
    return received
