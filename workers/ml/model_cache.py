"""The backbones that a process keeps in memory, so that each is loaded once and not once per chunk.

Loading takes seconds, memory is finite: the least recently used go first when a budget is exceeded. How a backbone is
loaded is not known here; the loader is handed in.
"""

import gc
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import MemoryShortError
from workers.ml.catalog import BackboneSpec
from workers.ml.engines.interface import Engine
from workers.ml.heads import Head


@dataclass(frozen=True, eq=False, slots=True)
class LoadedBackbone:
    """A backbone ready to compute features, and the head that it was published with."""

    spec: BackboneSpec
    engine: Engine
    head: Head  # ImageNet's

    @property
    def num_bytes(self) -> int:
        """Memory that the weights of both take."""
        return self.engine.num_bytes + self.head.num_bytes


class BackboneCache:
    """Loads backbones on first use and drops the least recently used beyond a memory budget.

    A backbone that alone exceeds the budget is kept while it is the latest: work that needs it could not go on else.

    Args:
        load: loads the backbone of that name; called once even if two threads ask at the same time.
        max_bytes: the budget for weights.
    """

    def __init__(self, load: Callable[[str], LoadedBackbone], *, max_bytes: int) -> None:
        self._load = load
        self._max_bytes = max_bytes
        # Held through a load. What only looks at the cache takes the other one and does not wait for it.
        self._loading = threading.Lock()
        self._state = threading.Lock()
        self._loaded: OrderedDict[str, LoadedBackbone] = OrderedDict()  # least recently used first
        self._loads: Counter[str] = Counter()

    def get(self, name: str) -> LoadedBackbone:
        """Return a backbone, loading it if it is not in memory.

        Raises:
            UnknownModelError: no backbone has that name.
            WeightsError: its weights cannot be had.
            MemoryShortError: it does not fit, even with all others dropped.
        """
        with self._loading:
            kept = self._loaded.get(name)
            loaded = self._load_with_room(name) if kept is None else kept
            with self._state:
                self._loaded[name] = loaded
                self._loaded.move_to_end(name)
                self._loads[name] += kept is None
                num_dropped = self._evict()
            if num_dropped:
                # Keras models are full of reference cycles; without this their memory stays until a later collection.
                gc.collect()
        return loaded

    @property
    def loads(self) -> dict[str, int]:
        """How often each backbone was loaded; above 1 it was dropped in between."""
        with self._state:
            return dict(self._loads)

    @property
    def warm(self) -> tuple[str, ...]:
        """Names of the backbones in memory, least recently used first."""
        with self._state:
            return tuple(self._loaded)

    def _load_with_room(self, name: str) -> LoadedBackbone:
        while True:
            try:
                return self._load(name)
            except MemoryShortError:
                # The memory that the system leaves may be smaller than the budget.
                with self._state:
                    if not self._loaded:
                        raise
                    self._loaded.popitem(last=False)
                gc.collect()

    def _evict(self) -> int:
        num_dropped = 0
        while len(self._loaded) > 1 and sum(value.num_bytes for value in self._loaded.values()) > self._max_bytes:
            self._loaded.popitem(last=False)
            num_dropped += 1
        return num_dropped
