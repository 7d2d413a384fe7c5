"""A decoder with three faults: put this folder on PYTHONPATH, and images that carry a mark really do what it says.

No image is known that does this to OpenCV, so that the faults are put in front of it. They are real ones: the process
segfaults, waits in C for ever, or takes memory until the kernel or its limit says no.

`python -P` does not look for sitecustomize in the working directory, but does on PYTHONPATH.
"""

import ctypes
import importlib.abc
import importlib.machinery
import os
import signal
import sys

MARK = b"hostile-decoder:"
# In place of the memory of the machine: whoever takes more is killed as the kernel would kill it.
MACHINE_BYTES = 2 * 1024**3
BLOCK_BYTES = 64 * 1024**2


def segfault() -> None:
    ctypes.string_at(0)


def hang() -> None:
    ctypes.CDLL(None).pause()


def exhaust_memory() -> None:
    blocks = []
    while len(blocks) * BLOCK_BYTES < MACHINE_BYTES:
        blocks.append(bytearray(b"\1") * BLOCK_BYTES)  # raises MemoryError where there is a limit
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS = {b"segfault": segfault, b"hang": hang, b"memory": exhaust_memory}


def wrap(cv2) -> None:
    decode = cv2.imdecode

    def imdecode(buffer, flags):
        head = bytes(buffer[:256])
        if MARK in head:
            FAULTS[head.partition(MARK)[2].partition(b";")[0]]()
        return decode(buffer, flags)

    cv2.imdecode = imdecode


class Finder(importlib.abc.MetaPathFinder):
    """Wraps OpenCV as soon as it has been imported."""

    def find_spec(self, name, path, _target=None):
        if name != "cv2":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def exec_module(module) -> None:
            load(module)
            # OpenCV replaces its own entry while it is imported.
            wrap(sys.modules["cv2"])

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
