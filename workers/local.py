"""The embedded worker: a child process that claims straight from the ledger, without a broker.

Run as `python -m workers.local`. It ends when its standard input does, so it never outlives its parent.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time

import structlog

from core.errors import SetupError
from core.exits import ExitCode
from core.logs import configure_logging, log_the_rest
from core.queues import Queue, kinds_of
from core.settings import Settings
from db.workers import WorkerIdentity
from workers.building import build_runtime
from workers.runtime import Runtime
from workers.streams import redirect_native_output
from workers.working import work

logger = structlog.get_logger(__name__)

# How long to wait before asking again when the ledger had nothing.
IDLE_POLL_S = 0.2


def main() -> int:
    """Work until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m workers.local", description=__doc__)
    parser.add_argument("--worker-id", required=True, help="name in the ledger, kept over restarts")
    parser.add_argument("--only-job", type=int, default=None, help="work for this job alone")
    parser.add_argument("--queues", type=Queue, nargs="+", default=list(Queue), help="which work to take")
    arguments = parser.parse_args()
    # Ctrl-C is for the process that started this one; that one decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    report_stream = redirect_native_output()
    settings = Settings()
    configure_logging(settings, worker_id=arguments.worker_id)
    log_the_rest(logger)
    identity = WorkerIdentity(id=arguments.worker_id, host=socket.gethostname(), pid=os.getpid())
    try:
        runtime = build_runtime(settings, identity, only_job=arguments.only_job, kinds=kinds_of(arguments.queues))
        run(runtime)
    except SetupError as error:
        report_stream.write(f"{error}\n")
        report_stream.flush()
        return ExitCode.SETUP
    return 0


def run(runtime: Runtime) -> None:
    """Claim and work until the process is ended from outside."""
    if runtime.tracer.is_on:
        # Else the last spans would end with the process. The leases are the parent's to give back.
        signal.signal(signal.SIGTERM, lambda *_: _end(runtime))
    runtime.report()
    while True:
        if work(runtime) == 0:
            time.sleep(IDLE_POLL_S)


def _end(runtime: Runtime) -> None:
    runtime.tracer.close()
    os._exit(0)


def _end_with_parent() -> None:
    # Not `sys.stdin`: a thread that waits in it keeps Python from ending.
    while os.read(0, 4096):
        pass
    # The lease is the parent's to give back, or runs out; nothing here needs to be tidied.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
