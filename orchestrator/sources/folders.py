"""Folders and glob patterns as sources: a walk in the order of names that can be taken up after any file.

A walk holds one listing per level, and of that only what `sorting` keeps in memory.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

from core.errors import SourceError
from core.items import FileLocator, Item, escape_name, unescape_name
from orchestrator.sources.globs import EVERYTHING, Glob, Progress
from orchestrator.sources.sorting import RUN_SIZE, Entry, sort_entries
from orchestrator.sources.specs import Items
from orchestrator.sources.trees import EntryKind, Tree
from workers.ml.formats import NUM_SNIFFED_BYTES, has_image_name, sniff

# A file's way down from the source, one name per level. Compared as bytes, which needs no locale.
_Path = tuple[bytes, ...]


class _Level(NamedTuple):
    """One folder of a walk."""

    path: _Path
    progress: Progress
    entries: Iterator[Entry]


class FolderSource:
    """Every image below a folder, or those that match a pattern.

    Files whose name or whose first bytes say that they are images are items, whether or not their format is supported.
    Other files, folders behind links, and what is no file are passed over and counted. Hidden files and folders are no
    part of a folder.

    Args:
        tree: where the folder is.
        location: the folder.
        name: what the images' names begin with; empty for none.
        pattern: which paths below the folder are meant.
        run_size: how many names of one folder to sort in memory.
    """

    def __init__(
        self, tree: Tree, location: str, name: str, *, pattern: Glob = EVERYTHING, run_size: int = RUN_SIZE
    ) -> None:
        self.num_skipped = 0
        self._tree = tree
        self._location = location
        self._name = name
        self._pattern = pattern
        self._run_size = run_size

    def check(self) -> None:
        """Nothing can be said before the walk."""

    def items(self, after: str | None = None) -> Items:
        """Enumerate the images, depth first, by the bytes of their names."""
        resume = tuple(os.fsencode(unescape_name(after)).split(b"/")) if after is not None else ()
        with closing(self._walk(resume)) as files:
            for path, kind in files:
                name, location = self._named(path)
                if self._is_image(location, kind):
                    cursor = escape_name(os.fsdecode(b"/".join(path)))
                    yield Item(name=name, locator=FileLocator(location), cursor=cursor)
                else:
                    self.num_skipped += 1

    def matches(self) -> Iterator[tuple[str, str]]:
        """Enumerate names and locations of all files that match, whatever they hold."""
        with closing(self._walk(())) as files:
            for path, kind in files:
                if kind == EntryKind.FILE:
                    yield self._named(path)

    def _named(self, path: _Path) -> tuple[str, str]:
        relative = os.fsdecode(b"/".join(path))
        name = self._tree.join(self._name, relative) if self._name else relative
        return name, self._tree.join(self._location, relative)

    def _walk(self, resume: _Path) -> Generator[tuple[_Path, int], None, None]:
        """Enumerate what matches and is no folder that can be entered, strictly behind `resume`."""
        # A stack of its own, because folders may be nested deeper than Python's calls.
        levels = [self._enter((), self._pattern.start, resume)]
        while levels:
            level = levels[-1]
            entry = next(level.entries, None)
            if entry is None:
                levels.pop()
                continue
            path = (*level.path, entry.name)
            progress = self._pattern.step(level.progress, os.fsdecode(entry.name))
            if entry.kind == EntryKind.FOLDER:
                if progress:
                    levels.append(self._enter(path, progress, resume))
            elif path > resume and self._pattern.accepts(progress):
                yield path, entry.kind

    def _enter(self, path: _Path, progress: Progress, resume: _Path) -> _Level:
        location = self._tree.join(self._location, os.fsdecode(b"/".join(path))) if path else self._location
        is_on_the_way = resume[: len(path)] == path and len(resume) > len(path)
        first = resume[len(path)] if is_on_the_way else b""
        pending = (entry for entry in self._tree.entries(location) if entry.name >= first)
        return _Level(path, progress, sort_entries(pending, run_size=self._run_size))

    def _is_image(self, location: str, kind: int) -> bool:
        if has_image_name(location.rpartition("/")[2]):
            return kind != EntryKind.LINKED_FOLDER
        if kind != EntryKind.FILE:
            return False
        try:
            with self._tree.open(location) as file:
                found = sniff(file.read(NUM_SNIFFED_BYTES))
        except SourceError:
            # Nothing says that it is an image, and it cannot be asked.
            return False
        return found is not None and not found.is_document
