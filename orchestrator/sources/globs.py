"""Glob patterns, matched one folder at a time, so that a walk enters only folders that can hold a match."""

import fnmatch
import re
from functools import cached_property

_MAGIC = re.compile(r"[*?[]")
_ANY_DEPTH = "**"

# How far a path has got through a pattern: several places at once, because `**` may stand for any number of folders.
Progress = frozenset[int]


class Glob:
    """A pattern such as `**/*.jpg`, relative to the folder where a walk starts.

    `*` does not match names that start with a dot, as in a shell, and `**` matches any number of folders. A folder that
    matches as a whole stands for everything in it.
    """

    def __init__(self, pattern: str) -> None:
        self._parts = [part for part in pattern.split("/") if part]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(fnmatch.translate(part)) for part in self._parts]

    @property
    def start(self) -> Progress:
        """Where every path starts."""
        return self._skip_any_depth({0})

    def step(self, progress: Progress, name: str) -> Progress:
        """Go on by one name; empty where nothing below can match."""
        return self._skip_any_depth(self._steps(progress, name))

    def accepts(self, progress: Progress) -> bool:
        """Whether a path that has got so far matches."""
        return len(self._parts) in progress

    def _steps(self, progress: Progress, name: str) -> set[int]:
        hidden = name.startswith(".")
        steps = set()
        for place in progress:
            if place == len(self._parts) or self._parts[place] == _ANY_DEPTH:
                if not hidden:
                    steps.add(place)
            elif (not hidden or self._parts[place].startswith(".")) and self._patterns[place].match(name):
                steps.add(place + 1)
        return steps

    def _skip_any_depth(self, places: set[int]) -> Progress:
        reached = set(places)
        for place, part in enumerate(self._parts):
            if place in reached and part == _ANY_DEPTH:
                reached.add(place + 1)
        return frozenset(reached)


EVERYTHING = Glob(_ANY_DEPTH)


def has_magic(text: str) -> bool:
    """Whether a text holds any of a pattern's special characters."""
    return bool(_MAGIC.search(text))


def split_pattern(text: str) -> tuple[str, str]:
    """Split a pattern such as `photos/2024/**/*.jpg` behind the last folder that is named in full.

    Returns:
        The root, `photos/2024`, and the rest, `/**/*.jpg`; together they are the text.
    """
    parts = text.split("/")
    first = next(position for position, part in enumerate(parts) if has_magic(part))
    root = "/".join(parts[:first])
    if not root and first:
        # The root of the file system is named by its slash alone.
        root = "/"
    return root, text.removeprefix(root)
