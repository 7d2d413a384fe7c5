"""Runs the commands that a page shows, one after the other, and says what they print. Knows nothing of pytest."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from documents import Block, read_blocks, read_lines
from lasting import Lasting, free_places, lasts, setting_of

LINE_TIMEOUT_S = 240
CTRL_C = "^C"  # among the lines that a reader gives: ends what goes on
# What is written in another way here than by readers, as regular expressions, and why.
INSTEAD = {"^make setup$": "true"}  # the tests run in what it makes
_BROKEN_PIPE = 128 + 13  # of what stands before `head`
_NUMBER = re.compile(r"[-+]?\d+(?:[.,:-]\d+)*")
_ELLIPSIS = "…"


@dataclass
class Reader:
    """Somebody at a terminal who does what a page says, in a folder and with an environment that lasts."""

    folder: Path
    env: dict[str, str]
    instead: Mapping[str, str] = field(default_factory=lambda: INSTEAD)
    # By the line as the page shows it: what to do before it, and the status with which it ends, if that is not 0.
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    leaves_out: Callable[[str], bool] = frozenset[str]().__contains__  # which lines, as the page shows them
    shown: list[tuple[Block, str]] = field(default_factory=list)  # blocks of output, and what was really printed
    given: list[str] = field(default_factory=list)  # lines, as they were run
    going_on: list[Lasting] = field(default_factory=list)

    def follow(self, page: Path, *sections: str) -> None:
        """Give each command; what a block of them prints, but for progress, belongs to the block after it.

        What goes on until it is ended goes on beside what follows, and ends with the page.

        Args:
            page: the page.
            sections: headings of the second level below which to read; everywhere, if none is given.

        Raises:
            AssertionError: a command failed.
        """
        blocks = [block for block in read_blocks(page) if not sections or block.section in sections]
        assert blocks, f"{page.name} has no blocks below {sections}"
        printed = ""
        try:
            for block in blocks:
                if lines := read_lines(block):
                    printed = "".join(self._follow(line, f"{page.name}:{block.line}") for line in lines)
                elif not block.language and printed:
                    self.shown.append((block, printed))
                    printed = ""
        finally:
            self._end()

    def _follow(self, shown: str, where: str) -> str:
        if self.leaves_out(shown):
            return ""
        for line in self.before.get(shown, ()):
            self.give(line, where)
        return self.give(shown, where, status=self.statuses.get(shown, 0))

    def give(self, shown: str, where: str, *, status: int = 0) -> str:
        """Give one command.

        Args:
            shown: as a page shows it.
            where: for messages.
            status: with which it has to end.

        Returns:
            What it printed.

        Raises:
            AssertionError: it ended otherwise.
        """
        line = shown
        for pattern, text in self.instead.items():
            line = re.sub(pattern, text, line)
        self.given.append(line)
        if line == CTRL_C:
            self._end()
        elif lasts(line) and status == 0:
            self._start(line)
        else:
            return self._run(line, where, status)
        return ""

    def _start(self, line: str) -> None:
        for other in [other for other in self.going_on if other.setting == setting_of(line)]:
            self.going_on.remove(other)
            other.end()
        self.going_on.append(Lasting.start(line, self.folder, self.env))

    def _run(self, line: str, where: str, status: int) -> str:
        kept = self.folder / ".environment"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{line}\nstatus=$?\nenv -0 > {kept}\nexit $status"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LINE_TIMEOUT_S,
            check=False,
        )
        said = f"{where}: `{line}` ended with {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode in ({0, _BROKEN_PIPE} if status == 0 else {status}), said
        self.env = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return done.stdout

    def _end(self) -> None:
        with ExitStack() as stack:
            for one in self.going_on:
                stack.callback(one.end)
        self.going_on.clear()


def environment(keras_home: Path) -> dict[str, str]:
    """A terminal's environment in which `labelyard` is the one that is tested, with nobody's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    return inherited | {"PATH": path, "KERAS_HOME": str(keras_home)} | free_places()


def is_shown(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, whatever numbers and folders came out; `…` stands for anything.

    Args:
        shown: a block of the page, which calls the folder /home/me/labelyard.
        printed: the real output.
    """
    pieces = (re.escape(_plain(piece)) for piece in shown.split(_ELLIPSIS))
    return re.fullmatch(" ?.* ?".join(piece.strip() for piece in pieces), _plain(printed)) is not None


def _plain(text: str) -> str:
    return " ".join(_NUMBER.sub("0", text).split())
