"""Runs the commands that a page shows, one block after the other, and says what they print. Knows nothing of pytest."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from documents import Block, read_blocks

BLOCK_TIMEOUT_S = 240
# Commands that are given in another way here than by readers, and why.
INSTEAD = {
    "make setup": "true",  # the tests run in what it makes
    # Readers press Ctrl-C.
    "labelyard serve": "timeout --foreground --preserve-status --signal=TERM 10 labelyard serve",
}
_NUMBER = re.compile(r"[-+]?\d+(?:[.,:-]\d+)*")
_ELLIPSIS = "…"


@dataclass
class Reader:
    """Somebody at a terminal who does what a page says, in a folder and with an environment that lasts."""

    folder: Path
    env: dict[str, str]
    shown: list[tuple[Block, str]] = field(default_factory=list)  # blocks of output, and what was really printed

    def follow(self, page: Path, *sections: str) -> None:
        """Run each block of commands; what is printed, but for progress, belongs to the block after it.

        Args:
            page: the page.
            sections: headings of the second level below which to read; everywhere, if none is given.

        Raises:
            AssertionError: a command failed.
        """
        printed = ""
        blocks = [block for block in read_blocks(page) if not sections or block.section in sections]
        assert blocks, f"{page.name} has no blocks below {sections}"
        for block in blocks:
            if block.is_shell:
                printed = self._run(block)
            elif not block.language and printed:
                self.shown.append((block, printed))
                printed = ""

    def _run(self, block: Block) -> str:
        lines = [INSTEAD.get(line, line) for line in block.text.splitlines()]
        kept = self.folder / ".environment"
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join([*lines, f"env -0 > {kept}"])],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=BLOCK_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, (
            f"{block.page.name}:{block.line} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
        self.env = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return done.stdout


def environment(keras_home: Path) -> dict[str, str]:
    """A terminal's environment in which `labelyard` is the one that is tested, with nobody's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABELYARD_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    return inherited | {"PATH": path, "KERAS_HOME": str(keras_home)}


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
