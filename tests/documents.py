"""README.md and docs/ as tests see them: pages, their blocks, and the command lines in those. Runs nothing.

A block that is marked `sh` holds commands alone. In a block without a mark, a line that begins with a program of
`PROGRAMS` is a command; other lines are output, settings or SQL.
"""

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "benchmarks" / "README.md"]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md"))
# Programs whose commands are checked; see tests/unit/test_documents.py.
PROGRAMS = (
    *("labelyard", "make", "python", "celery", "pytest", "docker", "kubectl", "curl", "pre-commit", "export"),
    *("promtool", "jq"),
)
_FENCED_OR_HEADING = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$|^## (?P<heading>[^\n]+)$",
    re.DOTALL | re.MULTILINE,
)
_ASSIGNED = re.compile(r"^[A-Z_]+=")
_REMARK = re.compile(r"\s+# .*$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int  # of its first line, from 1
    language: str
    text: str
    section: str  # the heading of the second level that it stands below

    @property
    def is_shell(self) -> bool:
        """Whether every line is a command."""
        return self.language in ("sh", "bash", "console")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line: what stands between pipes, without its redirections."""

    words: tuple[str, ...]
    where: str  # for messages: the page and the line

    @property
    def program(self) -> str:
        """What runs, without its folder."""
        return self.words[0].rpartition("/")[2]


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    section = ""
    for match in _FENCED_OR_HEADING.finditer(text):
        if match["heading"]:
            section = match["heading"]
        else:
            line = text.count("\n", 0, match.start()) + 2
            blocks.append(Block(page, line, match["language"], textwrap.dedent(match["text"]), section))
    return blocks


def read_lines(block: Block) -> list[str]:
    """The lines of a block that are commands, without remarks; one that ends with a backslash goes on with the next."""
    lines = [line.strip().removeprefix("$ ") for line in re.sub(r"\\\n *", "", block.text).splitlines()]
    is_command = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:\S*/)?(?:{'|'.join(PROGRAMS)})(?:\s|$)")
    return [_REMARK.sub("", line) for line in lines if line and (block.is_shell or is_command.match(line))]


def read_commands(block: Block) -> Iterator[Command]:
    """The commands of a block."""
    for line in read_lines(block):
        yield from split(line, f"{block.page.relative_to(ROOT)}:{block.line}")


def split(line: str, where: str) -> Iterator[Command]:
    """The commands of a line: what stands between pipes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    skips_next = False
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;()"):
            if words:
                yield Command(tuple(words), where)
            words = []
        elif set(word) <= set("<>"):
            skips_next = True  # a file to write to or read from
        elif skips_next:
            skips_next = False
        elif words or not _ASSIGNED.match(word):
            words.append(word)
