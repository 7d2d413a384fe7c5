"""The first directory of a TIFF file, which is also how EXIF is written inside of other formats.

Only the tags that hold whole numbers are read: sizes, places and kinds.
"""

from enum import IntEnum
from struct import error as StructError  # noqa: N812  struct names its one exception like a variable
from struct import unpack_from

ORIENTATIONS = range(1, 9)
_EXIF_PREFIX = b"Exif\0\0"
# Letters of `struct` for TIFF's types of whole numbers, and of bytes without a meaning; other types are passed over.
_INTEGER_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
_BIG = 43
# No real file has so many tags; one that claims more is not worth the time.
_MAX_NUM_ENTRIES = 65_535


class Tag(IntEnum):
    """The tags that are looked at. Source: TIFF 6.0, part 1; Adobe DNG for the last."""

    NEW_SUBFILE_TYPE = 254
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    PHOTOMETRIC = 262
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    SUB_IFDS = 330
    EXTRA_SAMPLES = 338
    JPEG_TABLES = 347
    DNG_VERSION = 50706


Directory = dict[int, tuple[int, ...]]


def read_directory(data: bytes) -> Directory:
    """Read the whole-number tags of the first directory, of TIFF and of BigTIFF.

    Raises:
        struct.error: the file ends before they do.
    """
    order = "<" if data[:1] == b"I" else ">"
    (version,) = unpack_from(f"{order}H", data, 2)
    # BigTIFF: places are 8 bytes wide instead of 4, and so are the numbers of tags and of values.
    place, count, entry_size, start = ("Q", "Q", 20, 8) if version == _BIG else ("I", "H", 12, 4)
    value_size = 8 if version == _BIG else 4
    (position,) = unpack_from(order + place, data, start)
    (num_entries,) = unpack_from(order + count, data, position)
    first = position + (8 if version == _BIG else 2)
    directory: Directory = {}
    for entry in range(first, first + min(num_entries, _MAX_NUM_ENTRIES) * entry_size, entry_size):
        tag, kind, num_values = unpack_from(f"{order}HH{place}", data, entry)
        if tag not in _KNOWN or kind not in _INTEGER_TYPES:
            continue
        letters = f"{order}{num_values}{_INTEGER_TYPES[kind]}"
        at = entry + entry_size - value_size
        if _size_of(kind) * num_values > value_size:
            (at,) = unpack_from(order + place, data, at)
        directory[tag] = unpack_from(letters, data, at)
    return directory


def read_orientation(exif: bytes) -> int:
    """Read the orientation that EXIF asks for; 1, upright, where it says nothing that can be understood."""
    try:
        orientation = read_directory(exif.removeprefix(_EXIF_PREFIX)).get(Tag.ORIENTATION, (1,))
    except StructError:
        return 1
    return orientation[0] if orientation and orientation[0] in ORIENTATIONS else 1


def is_camera_raw(directory: Directory) -> bool:
    """Whether a TIFF is a camera's raw file, whose first directory holds but a thumbnail."""
    is_reduced = bool(directory.get(Tag.NEW_SUBFILE_TYPE, (0,))[0] & 1)
    return Tag.DNG_VERSION in directory or (is_reduced and Tag.SUB_IFDS in directory)


def num_bytes_needed(directory: Directory) -> int:
    """Where the last of the image's strips or tiles ends."""
    offsets = directory.get(Tag.STRIP_OFFSETS) or directory.get(Tag.TILE_OFFSETS) or ()
    counts = directory.get(Tag.STRIP_BYTE_COUNTS) or directory.get(Tag.TILE_BYTE_COUNTS) or ()
    return max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)


_KNOWN = frozenset(Tag)


def _size_of(kind: int) -> int:
    return {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "Q": 8}[_INTEGER_TYPES[kind]]
