"""What an image file says of itself before it is decoded: its size, its transparency, and whether all of it is there.

A file of a few bytes may unpack to gigabytes, and one that was cut off may decode to a picture that is half grey. Both
are told from the file's structure, without OpenCV.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812  struct names its one exception like a variable
from struct import unpack_from

from core.errors import InputError
from core.types import Reason
from workers.ml.formats import ImageFormat
from workers.ml.tiff import Directory, Tag, is_camera_raw, num_bytes_needed, read_directory, read_orientation

# A file of nothing but empty parts would keep Python busy for minutes; no real one has so many.
_MAX_NUM_PARTS = 2_000_000

# Second bytes of JPEG's markers. Source: ITU-T T.81, table B.1.
_JPEG_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the three are tables among the frame headers
_JPEG_WITHOUT_LENGTH = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
_JPEG_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_JPEG_SCAN_START, _JPEG_END = b"\xff\xda", b"\xff\xd9"
# Each scan goes over the whole picture, and one of a few bytes may do so: 100 megapixels with 1,000 of them took 55 s.
# Encoders write about ten.
_MAX_NUM_SCANS = 100

_PNG_GREY, _PNG_GREY_ALPHA, _PNG_RGB_ALPHA = 0, 4, 6  # colour types
_PNG_NUM_BITS = (1, 2, 4, 8, 16)
_PNG_NUM_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
# Packing what cannot be packed makes it a little larger, by far less than twofold; tiny images get this much on top.
_PNG_SPARE_BYTES = 65_536

_GIF_EXTENSION, _GIF_IMAGE, _GIF_END = 0x21, 0x2C, 0x3B  # kinds of blocks
_GIF_NUM_HEADER_BYTES = {_GIF_EXTENSION: 2, _GIF_IMAGE: 11}  # from a block's start to its first sub-block

_WEBP_EXIF, _WEBP_ALPHA_OR_ANIMATION = 0x08, 0x12  # flags

_BMP_OLDEST_HEADER_SIZE = 12
_BMP_RUN_LENGTHS = (1, 2)  # compressions

_TIFF_SEPARATE_PLANES = 2
_TIFF_PALETTE = 3  # grey, inverted grey, RGB and palette are 0 to 3; CMYK, YCbCr and Lab are above
_TIFF_EXTRA_UNKNOWN, _TIFF_EXTRA_PREMULTIPLIED = 0, 1  # what a fourth channel is
_BYTE, _NUM_COLOURS = 8, 3


@dataclass(frozen=True, slots=True)
class Header:
    """What a decoder needs to know."""

    size_hw: tuple[int, int]  # as stored, before any rotation
    keeps_samples: bool = False  # transparency, 16 bits or floats: decode what is stored, not a plain picture of it
    orientation: int = 1  # EXIF's, where the decoder does not apply it by itself
    is_premultiplied: bool = False  # colours come multiplied with their alpha
    transparent_grey: int | None = None  # the grey that means transparent, in a grey image without an alpha channel


def read_header(data: bytes, image_format: ImageFormat) -> Header:
    """Read the structure of a file of a supported format.

    Raises:
        InputError: the file ends too early, is not built as its format asks, or is of an unsupported variant.
    """
    try:
        header = _READERS[image_format](data)
    except (StructError, IndexError, OverflowError):
        raise InputError(
            Reason.TRUNCATED,
            f"The {image_format} ends too early, after {len(data)} bytes; expected all of it. Copy it again.",
        ) from None
    if min(header.size_hw) < 1:
        raise _corrupt(image_format, f"says that it has {header.size_hw[1]} x {header.size_hw[0]} pixels")
    return header


def _require(data: bytes, num_bytes: int) -> None:
    if len(data) < num_bytes:
        raise IndexError


def _read_jpeg(data: bytes) -> Header:
    """Walk the segments to the first scan, behind which the end mark has to stand."""
    size_hw, is_progressive = (0, 0), False
    position = 2
    for _ in range(_MAX_NUM_PARTS):
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise IndexError
        marker, position = found[1][0], found.end()
        if marker == _JPEG_SCAN:
            if data.rfind(_JPEG_END, position) < 0:
                raise IndexError
            # Within a scan 0xFF is never followed by a marker's second byte.
            if is_progressive and data.count(_JPEG_SCAN_START, position) >= _MAX_NUM_SCANS:
                raise _corrupt(ImageFormat.JPEG, f"has more than {_MAX_NUM_SCANS} scans")
            return Header(size_hw)
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        if marker in _JPEG_FRAMES:
            size_hw = unpack_from(">HH", data, position + 3)
            is_progressive = marker in _JPEG_PROGRESSIVE
        position += unpack_from(">H", data, position)[0]
    raise _corrupt(ImageFormat.JPEG, "has no picture")


def _read_png(data: bytes) -> Header:
    width, height, num_bits, colour_type = unpack_from(">IIBB", data, 16)
    if num_bits not in _PNG_NUM_BITS:
        raise _corrupt(ImageFormat.PNG, f"says that it has {num_bits} bits a sample")
    exif, transparency = b"", None
    num_packed_bytes = 0
    position = 8
    for _ in range(_MAX_NUM_PARTS):
        length, kind = unpack_from(">I4s", data, position)
        match kind:
            case b"IEND":
                _require(data, position + 12)
                break
            case b"IDAT":
                num_packed_bytes += length
            case b"eXIf":
                exif = data[position + 8 : position + 8 + length]
            case b"tRNS":
                transparency = data[position + 8 : position + 8 + length]
        position += length + 12
    # The decoder unpacks the rest too, a thousandfold: 2 MB behind 8 x 8 pixels took 12 s.
    if num_packed_bytes > _PNG_SPARE_BYTES + 2 * height * (
        width * _PNG_NUM_SAMPLES.get(colour_type, 4) * num_bits // 8 + 1
    ):
        raise _corrupt(ImageFormat.PNG, f"packs {num_packed_bytes} bytes for {width} x {height} pixels")
    grey = None
    if colour_type == _PNG_GREY and transparency is not None:
        # The decoder spreads fewer bits than 8 over 0..255.
        grey = int.from_bytes(transparency[:2]) * max(1, 255 // (2**num_bits - 1))
    return Header(
        (height, width),
        keeps_samples=colour_type in (_PNG_GREY_ALPHA, _PNG_RGB_ALPHA) or transparency is not None,
        orientation=read_orientation(exif) if exif else 1,
        transparent_grey=grey,
    )


def _read_webp(data: bytes) -> Header:
    num_bytes = unpack_from("<I", data, 4)[0] + 8
    _require(data, num_bytes)
    match data[12:16]:
        case b"VP8X":
            flags, width, height = (
                data[20],
                int.from_bytes(data[24:27], "little"),
                int.from_bytes(data[27:30], "little"),
            )
            exif = _find_webp_exif(data[:num_bytes]) if flags & _WEBP_EXIF else b""
            return Header(
                (height + 1, width + 1),
                keeps_samples=bool(flags & _WEBP_ALPHA_OR_ANIMATION),
                orientation=read_orientation(exif) if exif else 1,
            )
        case b"VP8L":
            bits = unpack_from("<I", data, 21)[0]
            return Header(((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1), keeps_samples=bool(bits >> 28 & 1))
        case b"VP8 ":
            width, height = unpack_from("<HH", data, 26)
            return Header((height & 0x3FFF, width & 0x3FFF))
    raise _corrupt(ImageFormat.WEBP, "has no picture")


def _find_webp_exif(data: bytes) -> bytes:
    position = 12
    while position + 8 <= len(data):
        kind, length = unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            return data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    return b""


def _read_gif(data: bytes) -> Header:
    """Walk the blocks to the end mark."""
    width, height, flags = unpack_from("<HHB", data, 6)
    position = 13 + _colour_table_size(flags)
    header = Header((height, width), keeps_samples=True)
    num_parts = 0
    while (block := data[position]) != _GIF_END:
        if block not in _GIF_NUM_HEADER_BYTES:
            raise _corrupt(ImageFormat.GIF, f"has an unknown block at byte {position}")
        table_size = _colour_table_size(data[position + 9]) if block == _GIF_IMAGE else 0
        position += _GIF_NUM_HEADER_BYTES[block] + table_size
        while size := data[position]:
            position += size + 1
            num_parts += 1
        position += 1
        if num_parts > _MAX_NUM_PARTS:
            raise _corrupt(ImageFormat.GIF, "has too many parts")
    return header


def _colour_table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _read_bmp(data: bytes) -> Header:
    offset, header_size = unpack_from("<II", data, 10)
    if header_size == _BMP_OLDEST_HEADER_SIZE:
        width, height, _, num_bits = unpack_from("<HHHH", data, 18)
        compression, num_bytes = 0, 0
    else:
        width, height, _, num_bits, compression, num_bytes = unpack_from("<iiHHII", data, 18)
    # Run-length codes say how long they are; plain rows are padded to four bytes.
    if compression not in _BMP_RUN_LENGTHS:
        num_bytes = (width * num_bits + 31) // 32 * 4 * abs(height)
    _require(data, offset + num_bytes)
    return Header((abs(height), width))


def _read_tiff(data: bytes) -> Header:
    directory = read_directory(data)
    if is_camera_raw(directory):
        raise InputError(Reason.UNSUPPORTED_FORMAT, unsupported_detail(ImageFormat.CAMERA_RAW))
    _require(data, num_bytes_needed(directory))
    num_bits = directory.get(Tag.BITS_PER_SAMPLE, (1,))
    _require_no_deep_planes(directory, num_bits)
    extra = directory.get(Tag.EXTRA_SAMPLES, (_TIFF_EXTRA_UNKNOWN,) if len(num_bits) > _NUM_COLOURS else ())[:1]
    # Other colours, and a fourth channel that may be anything, are left to the decoder to turn into RGB.
    is_plain = directory.get(Tag.PHOTOMETRIC, (0,))[0] <= _TIFF_PALETTE and extra != (_TIFF_EXTRA_UNKNOWN,)
    return Header(
        (directory.get(Tag.IMAGE_LENGTH, (0,))[0], directory.get(Tag.IMAGE_WIDTH, (0,))[0]),
        keeps_samples=is_plain,
        # libtiff multiplies colours of 8 bits by itself, and OpenCV hands out deeper ones as they are stored.
        is_premultiplied=num_bits[0] == _BYTE or extra == (_TIFF_EXTRA_PREMULTIPLIED,),
    )


def _require_no_deep_planes(directory: Directory, num_bits: tuple[int, ...]) -> None:
    is_in_planes = directory.get(Tag.PLANAR_CONFIGURATION) == (_TIFF_SEPARATE_PLANES,)
    if is_in_planes and len(num_bits) > 1 and max(num_bits) > _BYTE:
        # OpenCV fills two thirds of such a picture with whatever its memory held before.
        raise InputError(
            Reason.UNSUPPORTED_FORMAT,
            f"The TIFF keeps each colour in a plane of its own, in {max(num_bits)} bits; expected planes of 8 bits, or "
            "colours side by side (contiguous). Save it again so.",
        )


_READERS: dict[ImageFormat, Callable[[bytes], Header]] = {
    ImageFormat.JPEG: _read_jpeg,
    ImageFormat.PNG: _read_png,
    ImageFormat.WEBP: _read_webp,
    ImageFormat.GIF: _read_gif,
    ImageFormat.BMP: _read_bmp,
    ImageFormat.TIFF: _read_tiff,
}


def unsupported_detail(image_format: ImageFormat) -> str:
    """Say in one sentence that a format is not read."""
    return f"The file is {image_format}; expected JPEG, PNG, WebP, BMP, TIFF or GIF. Convert it to one of them."


def _corrupt(image_format: ImageFormat, what: str) -> InputError:
    return InputError(Reason.CORRUPT, f"The {image_format} {what}; save it again from its origin.")
