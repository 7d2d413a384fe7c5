"""Exit codes, a contract with scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means."""

    DONE = 0
    FAILED = 1  # the job failed
    USAGE = 2  # the request cannot be carried out as it was made
    SETUP = 3  # weights, database or broker are missing
    IMAGE_ERRORS = 4  # done, but some images have errors; only under --strict
    INTERRUPTED = 130  # Ctrl-C; the job can be resumed
