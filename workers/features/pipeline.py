"""The pipeline: a stream of images in, their features out, in any order, with bounded memory in between.

Whoever calls it says what an image is, how it is read and how it becomes pixels. The pipeline does not know of jobs,
models or leases.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Generic

import numpy as np

from core.errors import InputError
from core.features import FeatureKey
from core.jobs import ImageError, StageSeconds
from workers.features.batches import Batch, BatchQueue
from workers.features.opening import ImageOpener
from workers.features.threads import WorkerThreads
from workers.features.values import Extractor, ImageSource, Item, Lane, Opened, Part
from workers.features.watching import Watch
from workers.ml.ahead import batched

if TYPE_CHECKING:
    from workers.features.kept import KeptFeatures  # the database comes with it

# Images that a thread decodes at a time; handing them over one by one costs more than it evens out, but for large ones.
GROUP_SIZE = 8
LARGE_BYTES = 512 * 1024
# Images whose stored features are asked for at a time.
LOOKUP_SIZE = 64
# Full batches that are decoded ahead of the engine.
BATCHES_AHEAD = 2
# Batches that one chunk has with an engine; a chunk that is alone is to keep all of the chip busy.
BATCHES_COMPUTED_AT_ONCE = 2
# Files that wait in memory to be decoded; photographs of many megabytes go to the engine in smaller batches.
MAX_WAITING_BYTES = 64 * 1024**2
# Vectors that are stored in one transaction.
SAVE_SIZE = 256


class FeaturePipeline(Generic[Item]):
    """Gets features of images.

    Args:
        threads: who does it.
        lanes: what is wanted.
        source: how images are read.
        kept: where features are looked for and stored; None: nowhere.
        on_progress: called now and then if an image was read or decoded since; what it raises ends the run.
    """

    def __init__(
        self,
        threads: WorkerThreads,
        lanes: Sequence[Lane],
        source: ImageSource[Item],
        kept: "KeptFeatures | None",
        *,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._threads = threads
        self._watch = Watch(on_progress)
        self._opener = ImageOpener(threads.reading, source, self._watch)
        self._lanes = lanes
        self._source = source
        self._kept = kept
        self._queues: dict[Lane, BatchQueue[Item]] = {}  # of those lanes in which not everything was stored
        self._computing: deque[tuple[Lane, Batch[Item], Future[dict[str, np.ndarray]]]] = deque()
        self._unsaved: dict[str, dict[FeatureKey, np.ndarray]] = {}
        self.num_computed = 0
        self.num_reused = 0

    @property
    def seconds(self) -> StageSeconds:
        """What the stages took so far."""
        return self._watch.seconds

    def run(self, items: Iterable[Item]) -> Iterator[Part[Item]]:
        """Yield every image once for each lane, as soon as it is done; in any order."""
        try:
            for block in self._opener.blocks(items, size=LOOKUP_SIZE):
                yield from self._enter(block)
                yield from self._advance()
            yield from self._advance(to_the_end=True)
            self._save()
        finally:
            self._give_up()

    def _advance(self, *, to_the_end: bool = False) -> Iterator[Part[Item]]:
        """Send batches to their engines as long as there is more than is wanted in advance; yield what comes back."""
        for lane, queue in self._queues.items():
            while len(queue) > (0 if to_the_end else BATCHES_AHEAD + 1) or queue.num_bytes > MAX_WAITING_BYTES:
                batch = queue.pop()
                self._computing.append((lane, batch, self._threads.computing.submit(self._compute, lane, batch)))
                if len(self._computing) > BATCHES_COMPUTED_AT_ONCE:
                    yield self._collect()
        while self._computing and to_the_end:
            yield self._collect()

    def _give_up(self) -> None:
        """Wait for nothing that will not be used."""
        for _, _, computed in self._computing:
            computed.cancel()
        for queue in self._queues.values():
            while len(queue):
                for filler in queue.pop().fillers:
                    filler.cancel()

    def _enter(self, block: Sequence[tuple[Item, Opened | ImageError]]) -> Iterator[Part[Item]]:
        """Yield what needs no pixels, and send the others to be decoded."""
        unread = [(item, opened) for item, opened in block if isinstance(opened, ImageError)]
        read = [(item, opened) for item, opened in block if isinstance(opened, Opened)]
        lanes_of: list[list[Lane]] = [[] for _ in read]
        for lane in self._lanes:
            stored = self._look_up(lane, [opened for _, opened in read])
            for number, lanes in enumerate(lanes_of):
                if number not in stored:
                    lanes.append(lane)
            self.num_reused += len(stored)
            if stored or unread:
                yield Part(
                    lane,
                    [read[number][0] for number in stored],
                    [read[number][1].key for number in stored],
                    {name: np.stack([row[name] for row in stored.values()]) for name in lane.names if stored},
                    unread,
                )
        self._decode([(item, opened, lanes) for (item, opened), lanes in zip(read, lanes_of, strict=True) if lanes])

    def _look_up(self, lane: Lane, images: Sequence[Opened]) -> dict[int, dict[str, np.ndarray]]:
        """The stored vectors of those images of which all that the lane wants is stored, by position."""
        keys = {number: image.key for number, image in enumerate(images) if image.key is not None}
        if self._kept is None or not keys:
            return {}
        found = self._kept.find(lane.names, list(keys.values()))
        return {
            number: {name: found[name][key] for name in lane.names}
            for number, key in keys.items()
            if all(key in found[name] for name in lane.names)
        }

    def _decode(self, images: Sequence[tuple[Item, Opened, Sequence[Lane]]]) -> None:
        is_large = sum(opened.num_bytes for _, opened, _ in images) > LARGE_BYTES * len(images)
        for group in batched(images, 1 if is_large else GROUP_SIZE):
            fills = []
            batches = set()
            for item, opened, lanes in group:
                places = {lane: self._queue(lane).add(item, opened.key) for lane in lanes}
                fills.append((item, opened.data, places))
                for batch, _ in places.values():
                    batch.num_bytes += opened.num_bytes
                    batches.add(batch)
            filler = self._threads.decoding.submit(self._fill_group, fills)
            for batch in batches:
                batch.fillers.add(filler)

    def _queue(self, lane: Lane) -> BatchQueue[Item]:
        if lane not in self._queues:
            sizes = [extractor.engine().batch_size for extractor in lane.extractors]
            self._queues[lane] = BatchQueue(max(sizes, default=LOOKUP_SIZE), lane.contract.size_hw)
        return self._queues[lane]

    def _fill_group(
        self, fills: list[tuple[Item, bytes | np.ndarray | None, dict[Lane, tuple[Batch[Item], int]]]]
    ) -> None:
        with self._watch.spending("decode_s"):
            while fills:  # whose files are let go of one by one
                item, data, places = fills.pop()
                try:
                    slots = {lane.contract: batch.images[slot] for lane, (batch, slot) in places.items()}
                    self._source.fill(item, data, slots)
                except InputError as error:
                    for batch, slot in places.values():
                        batch.errors[slot] = ImageError(error.reason, error.detail)
                self._watch.touched()

    def _compute(self, lane: Lane, batch: Batch[Item]) -> dict[str, np.ndarray]:
        """The features of a batch's good images by every network of its lane; in a thread."""
        with self._watch.spending("wait_s"):
            for filler in wait(batch.fillers).done:
                filler.result()
        good = batch.good_slots
        return {extractor.name: self._run(extractor, batch, good) for extractor in lane.extractors if good}

    def _collect(self) -> Part[Item]:
        """Wait for the oldest batch that is being computed."""
        lane, batch, computed = self._computing.popleft()
        vectors = self._watch.wait_for(computed)
        good = batch.good_slots
        self.num_computed += len(good) * len(vectors)
        keys = [batch.keys[slot] for slot in good]
        self._keep(keys, vectors)
        self._queues[lane].recycle(batch)
        errors = [(batch.items[slot], error) for slot, error in batch.errors.items()]
        return Part(lane, [batch.items[slot] for slot in good], keys, vectors, errors)

    def _run(self, extractor: Extractor, batch: Batch[Item], good: list[int]) -> np.ndarray:
        engine = extractor.engine()
        images = batch.images[: len(batch.items)]
        with engine.turns, self._watch.spending("engine_s"):
            # Of a bad image whatever its slot held before is computed too: it is thrown away, and others wait for none.
            features = engine.features(images)
        return features if len(good) == len(images) else features[good]

    def _keep(self, keys: Sequence[FeatureKey | None], vectors: Mapping[str, np.ndarray]) -> None:
        if self._kept is None:
            return
        for name, rows in vectors.items():
            found = {key: row for key, row in zip(keys, rows, strict=True) if key is not None}
            self._unsaved.setdefault(name, {}).update(found)
        if sum(map(len, self._unsaved.values())) >= SAVE_SIZE:
            self._save()

    def _save(self) -> None:
        if self._kept is None or not any(self._unsaved.values()):
            return
        with self._watch.spending("write_s"):
            self._kept.save(self._unsaved)
        self._unsaved = {}
