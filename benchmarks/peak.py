"""Runs a command, then prints the most memory that its process had, in bytes, as a last line.

A small process of its own that imports next to nothing: to the system, what a process was started from counts as the
process's own memory. Asked from a benchmark that holds 100 MB, `true` takes 100 MB as well.
"""

import os
import sys

# Linux counts in KiB.
BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


def main(command: list[str]) -> int:
    """Run it; its status is ours."""
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    print(usage.ru_maxrss * BYTES_PER_MAXRSS)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
