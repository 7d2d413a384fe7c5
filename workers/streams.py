"""Keeping native libraries' chatter off the terminal.

TensorFlow, libpng and libtiff write to file descriptors 1 and 2 directly, in the middle of a progress bar. Python's own
`sys.stderr` stays where it was, so that log lines are seen.
"""

import os
import sys
from typing import TextIO


def redirect_native_output() -> TextIO:
    """Point the process's descriptors 1 and 2 at nothing, keep `sys.stderr` on the real standard error.

    Returns:
        The real standard output, for what this process has to say to the one that started it.
    """
    real_stdout = os.fdopen(os.dup(1), "w")
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)
    return real_stdout
