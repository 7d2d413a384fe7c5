"""What goes into the pipeline and what comes out: images as their caller knows them, networks, and finished parts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from core.features import FeatureKey
from core.jobs import ImageError
from core.preprocessing import PreprocessingContract
from workers.ml.engines.interface import Engine

Item = TypeVar("Item")
Asked_contra = TypeVar("Asked_contra", contravariant=True)

# Where the pixels of one image go: (H, W, 3) uint8 RGB, by what has to be done to them.
Slots = Mapping[PreprocessingContract, np.ndarray]


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """An image that was read."""

    key: FeatureKey | None  # what its features are stored under; None: they are not
    data: bytes | np.ndarray | None  # its file, or (H, W, 3) uint8 RGB; None: it is read when its pixels are wanted

    @property
    def num_bytes(self) -> int:
        """Memory that the data take."""
        return self.data.nbytes if isinstance(self.data, np.ndarray) else len(self.data or b"")


class ImageSource(Protocol[Asked_contra]):
    """What the pipeline asks of its caller, in threads."""

    def open(self, item: Asked_contra) -> Opened:
        """Read an image and say what it is.

        Raises:
            InputError: it cannot be read.
        """

    def fill(self, item: Asked_contra, data: bytes | np.ndarray | None, slots: Slots) -> None:
        """Make pixels of what was read: decode it, and write it into each slot as its contract says.

        Raises:
            InputError: it cannot be decoded.
        """


@dataclass(frozen=True, eq=False, slots=True)
class Extractor:
    """A network that features are wanted of."""

    name: str  # what they are stored under
    engine: Callable[[], Engine]  # called only if something is not stored


@dataclass(frozen=True, eq=False, slots=True)
class Lane:
    """All networks that see the same pixels; with none, images are decoded and that is all."""

    contract: PreprocessingContract
    extractors: tuple[Extractor, ...]

    @property
    def names(self) -> list[str]:
        """Of its extractors."""
        return [extractor.name for extractor in self.extractors]


@dataclass(frozen=True, eq=False, slots=True)
class Part(Generic[Item]):
    """Some images that one lane is done with."""

    lane: Lane
    items: Sequence[Item] = ()
    keys: Sequence[FeatureKey | None] = ()
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)  # by extractor: (N, F) float32, as the items
    errors: Sequence[tuple[Item, ImageError]] = ()  # images that have no features


def gathered(parts: Iterable[Part[Item]], *, size: int) -> Iterator[Part[Item]]:
    """Put parts of one lane together until they have so many images; the last ones may have fewer."""
    waiting: dict[Lane, list[Part[Item]]] = {}
    for part in parts:
        some = waiting.setdefault(part.lane, [])
        some.append(part)
        if sum(len(one.items) for one in some) >= size:
            yield _together(waiting.pop(part.lane))
    for some in waiting.values():
        yield _together(some)


def _together(parts: Sequence[Part[Item]]) -> Part[Item]:
    lane = parts[0].lane
    filled = [part for part in parts if part.items]
    return Part(
        lane,
        [item for part in parts for item in part.items],
        [key for part in parts for key in part.keys],
        {name: np.concatenate([part.vectors[name] for part in filled]) for name in lane.names if filled},
        [failed for part in parts for failed in part.errors],
    )
