"""`labelyard serve`: the orchestrator as a process that stays."""


def serve() -> None:
    """Plan, schedule, sweep and conclude until stopped (Ctrl-C, SIGTERM); without a broker, work as well."""
    import signal
    import threading

    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.notifying import notify_and_deliver
    from orchestrator.notifying.channels import channels_of
    from orchestrator.scheduling.ticking import tick
    from orchestrator.serving.orchestrator import parts_of
    from orchestrator.serving.orchestrator import serve as run
    from orchestrator.watching import make_waker

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with open_context() as context:
        waker = make_waker(context.settings, context.database)
        deliver = notify_and_deliver if channels_of(context.settings) else None
        parts = parts_of(context.database, context.settings, waker, tick=tick, deliver=deliver)
        width = max(len(part.name) for part in parts)
        for part in parts:
            print_line(f"{part.name:<{width}}  {part.does}")
        print_line(f"Serving {context.database.safe_url}. Ctrl-C or SIGTERM stops it.")
        run(parts, stopped)
        print_line("Stopped; what was in progress goes on with the next `labelyard serve`, or with any worker.")
