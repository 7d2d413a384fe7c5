"""Reading images ahead of what is done with them."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic

from core.errors import InputError
from core.jobs import ImageError
from workers.features.values import ImageSource, Item, Opened
from workers.features.watching import Watch
from workers.ml.ahead import batched, map_ahead

# Images that a thread reads at a time; handing them over one by one costs more than it evens out.
GROUP_SIZE = 4
# Groups that are read ahead of what is asked for.
AHEAD_GROUPS = 4
# No more bytes of files in a block, however few images that is.
MAX_BLOCK_BYTES = 16 * 1024**2


class ImageOpener(Generic[Item]):
    """Reads images in threads, in order.

    Args:
        pool: the threads.
        source: how an image is read.
        watch: of the pipeline that it is for.
    """

    def __init__(self, pool: Executor, source: ImageSource[Item], watch: Watch) -> None:
        self._pool = pool
        self._source = source
        self._watch = watch

    def blocks(self, items: Iterable[Item], *, size: int) -> Iterator[list[tuple[Item, Opened | ImageError]]]:
        """Yield images that were read, or why they cannot be, so many at a time; fewer where they are large."""
        block: list[tuple[Item, Opened | ImageError]] = []
        num_bytes = 0
        for item, opened in self._open_ahead(items):
            block.append((item, opened))
            num_bytes += opened.num_bytes if isinstance(opened, Opened) else 0
            if len(block) == size or num_bytes > MAX_BLOCK_BYTES:
                yield block
                block, num_bytes = [], 0
        if block:
            yield block

    def _open_ahead(self, items: Iterable[Item]) -> Iterator[tuple[Item, Opened | ImageError]]:
        groups = batched(items, GROUP_SIZE)
        opened = map_ahead(self._pool, self._open_group, groups, ahead=AHEAD_GROUPS, wait_for=self._watch.wait_for)
        for group, images in opened:
            yield from zip(group, images, strict=True)

    def _open_group(self, group: Sequence[Item]) -> list[Opened | ImageError]:
        with self._watch.spending("read_s"):
            return [self._open(item) for item in group]

    def _open(self, item: Item) -> Opened | ImageError:
        try:
            return self._source.open(item)
        except InputError as error:
            return ImageError(error.reason, error.detail)
        finally:
            self._watch.touched()
