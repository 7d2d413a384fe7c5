"""What an unlucky machine does to the real program, put into each of its processes as Python starts.

The folder of this file on PYTHONPATH is all it takes. Without the variables below nothing is changed, and the program
knows nothing of it.

    FAULTS_IMAGE_S         reading an image takes this long, so that a fault finds workers in mid-chunk
    FAULTS_CLOCK_S         this process's clock is wrong by so many seconds
    FAULTS_FREEZE_FOLDER   a worker that finds a file named like its process in there takes it and freezes itself, with
                           a chunk's results in its hands
"""

import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

LET_GO_S = 0.3

Change = Callable[[ModuleType], None]


class ChangingFinder(MetaPathFinder):
    """Changes a module right after it was imported.

    Args:
        name: of the module.
        change: what is done to it.
    """

    def __init__(self, name: str, change: Change) -> None:
        self._name = name
        self._change = change

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            self._change(module)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


def slow_reading_down(reading: ModuleType) -> None:
    seconds = float(os.environ["FAULTS_IMAGE_S"])
    read = reading.ItemReader.read

    def read_slowly(self: Any, locator: Any) -> Any:
        time.sleep(seconds)
        return read(self, locator)

    reading.ItemReader.read = read_slowly


def freeze_before_finishing(leasing: ModuleType) -> None:
    folder = Path(os.environ["FAULTS_FREEZE_FOLDER"])
    finish = leasing.finish
    was_frozen = set()  # (chunk, attempt)

    def freeze_and_finish(session: Any, lease: Any, *arguments: Any, **options: Any) -> bool:
        token = folder / str(os.getpid())
        key = (lease.chunk_id, lease.attempt)
        if token.exists():
            token.unlink(missing_ok=True)
            # Not in a transaction, this one or another thread's that waited for it: its locks would freeze too.
            session.rollback()
            time.sleep(LET_GO_S)
            was_frozen.add(key)
            os.kill(os.getpid(), signal.SIGSTOP)
        held = finish(session, lease, *arguments, **options)
        if key in was_frozen:
            said = {"event": "finished_late", "chunk_id": lease.chunk_id, "attempt": lease.attempt, "held": held}
            sys.stderr.write(json.dumps(said) + "\n")
        return held

    leasing.finish = freeze_and_finish


def set_clock_wrong() -> None:
    seconds = float(os.environ["FAULTS_CLOCK_S"])
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1e9)


if "FAULTS_CLOCK_S" in os.environ:
    set_clock_wrong()
for variable, name, change in (
    ("FAULTS_IMAGE_S", "workers.reading", slow_reading_down),
    ("FAULTS_FREEZE_FOLDER", "db.ledger.leasing", freeze_before_finishing),
):
    if variable in os.environ:
        sys.meta_path.insert(0, ChangingFinder(name, change))
