"""Turns this process into a server that has few rights and dies with the process that started it.

A script of its own, on the standard library alone, because the steps between fork and exec belong in a fresh
interpreter: `preexec_fn` may deadlock once the parent has threads, and Python 3.12 warns of it.

    python -I launcher.py PARENT_PID USER SIGNAL COMMAND...

USER is empty to stay who we are; SIGNAL is what the server gets when the parent dies.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def drop_rights(user: str) -> None:
    """Become `user` for good, without any supplementary group."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel for a signal when the parent dies; elsewhere than on Linux there is no such thing."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:
        sys.exit("The process that wanted this server is gone already.")


def main(parent_pid: str, user: str, signal_number: str, *command: str) -> None:
    """Drop the rights, tie the life to the parent's, become the command."""
    if user:
        drop_rights(user)
    # Only now: the kernel forgets the wish when a process changes its user.
    die_with(int(parent_pid), int(signal_number))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
