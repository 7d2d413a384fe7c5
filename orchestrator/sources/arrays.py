"""`.npy` arrays as sources: one image per item of the first axis."""

from typing import IO, TYPE_CHECKING

from core.errors import InputError, SourceError
from core.items import ArrayLocator, Item
from orchestrator.sources.specs import Items
from orchestrator.sources.trees import Tree
from workers.files import size_of

if TYPE_CHECKING:
    from workers.ml.arrays import ArrayHeader


class ArraySource:
    """Every item of an array (N, H, W, 3).

    Args:
        tree: where the array is.
        location: the `.npy` file.
        name: what the images' names begin with.
    """

    def __init__(self, tree: Tree, location: str, name: str) -> None:
        self.num_skipped = 0
        self._tree = tree
        self._location = location
        self._name = name

    def check(self) -> None:
        """Look at the array's header."""
        with self._tree.open(self._location) as file:
            read_image_header(file, self._location)

    def items(self, after: str | None = None) -> Items:
        """Enumerate the items; those of a shape that is no image are left to become error rows."""
        with self._tree.open(self._location) as file:
            header = read_image_header(file, self._location)
            scale = read_scale(file, header)
        for index in range(0 if after is None else int(after) + 1, header.shape[0]):
            locator = ArrayLocator(self._location, index, scale)
            yield Item(name=f"{self._name}#{index}", locator=locator, cursor=str(index))


def read_image_header(file: IO[bytes], location: str) -> "ArrayHeader":
    """Read the header of an array that can hold images.

    Raises:
        SourceError: it cannot.
    """
    # NumPy takes a tenth of a second to import, and most sources are folders.
    from workers.ml.arrays import NUM_DIMENSIONS, is_image_type, read_header  # noqa: PLC0415

    try:
        header = read_header(file)
    except ValueError as error:
        raise SourceError(f"{location} is not an .npy array: {error}. Save it with numpy.save.") from error
    if len(header.shape) != NUM_DIMENSIONS:
        raise SourceError(
            f"{location} has the shape {header.shape}; expected four axes, (number, height, width, 3). "
            "A single image needs numpy.newaxis in front."
        )
    if not is_image_type(header.dtype):
        raise SourceError(
            f"{location} holds {header.dtype} values; expected uint8, or float from 0 to 1 or from 0 to 255."
        )
    if header.is_fortran:
        raise SourceError(
            f"{location} is in Fortran order, which scatters each image over the whole file; "
            "save numpy.ascontiguousarray(array)."
        )
    if not all(header.shape[1:]):
        raise SourceError(f"{location} has the shape {header.shape}, whose images have no pixels.")
    check_length(file, header, location)
    return header


def check_length(file: IO[bytes], header: "ArrayHeader", location: str) -> None:
    """Make sure that a file is as long as its header says, before anything is counted or kept by what that says.

    Raises:
        SourceError: it is shorter, or nobody knows.
    """
    size = size_of(file)
    if size is None:
        raise SourceError(f"{location} is on a server that does not say how large it is. Copy it to a folder.")
    expected = header.item_offset(header.shape[0]) if header.shape else 0
    if size < expected:
        raise SourceError(
            f"{location} is cut short: an array of shape {header.shape} and type {header.dtype} has {expected:,} "
            f"bytes, the file {size:,}. Save or copy it again."
        )


def read_scale(file: IO[bytes], header: "ArrayHeader") -> float:
    """Find what brings an array's values to 0..255."""
    from workers.ml.arrays import NUM_CHANNELS, find_scale  # noqa: PLC0415  as above

    if header.shape[-1] != NUM_CHANNELS:
        return 1.0
    try:
        return find_scale(file, header)
    except InputError as error:
        raise SourceError(f"The array is cut short: {error}") from error
