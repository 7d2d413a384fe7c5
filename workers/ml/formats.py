"""Which format a file is, told by its first bytes and never by its name.

Shared by planners, which ask whether a file is an image at all, and by the decoder, which must name what it refuses.
Knows nothing of OpenCV, so that a planner stays light.
"""

import re
from enum import StrEnum

# A comment or an XML prologue may stand before `<svg`; every other signature is nearer to the start.
NUM_SNIFFED_BYTES = 1024


class ImageFormat(StrEnum):
    """A format by the name that people know it by."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    BMP = "BMP"
    TIFF = "TIFF"
    GIF = "GIF"
    HEIC = "HEIC"
    AVIF = "AVIF"
    JPEG_XL = "JPEG XL"
    JPEG_2000 = "JPEG 2000"
    JPEG_XR = "JPEG XR"
    CAMERA_RAW = "camera raw"
    PSD = "Photoshop"
    SVG = "SVG"
    PDF = "PDF"
    POSTSCRIPT = "PostScript"
    ICO = "ICO"
    PNM = "PNM"
    RADIANCE = "Radiance HDR"
    OPENEXR = "OpenEXR"
    DICOM = "DICOM"
    DDS = "DDS"
    QOI = "QOI"
    XCF = "GIMP"
    DJVU = "DjVu"
    SUN_RASTER = "Sun raster"
    BPG = "BPG"
    FLIF = "FLIF"

    @property
    def is_supported(self) -> bool:
        """Whether images of this format are labelled."""
        return self in SUPPORTED_FORMATS

    @property
    def is_document(self) -> bool:
        """Whether such files are pages rather than pictures; a folder's documents are passed over."""
        return self in (ImageFormat.PDF, ImageFormat.POSTSCRIPT, ImageFormat.DJVU)


SUPPORTED_FORMATS = (
    ImageFormat.JPEG,
    ImageFormat.PNG,
    ImageFormat.WEBP,
    ImageFormat.BMP,
    ImageFormat.TIFF,
    ImageFormat.GIF,
)

# Names by which a folder's file is taken for an image, whatever it holds: what cannot be labelled becomes an error row.
IMAGE_EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif", "jif", "png", "apng", "webp", "bmp", "dib", "tif", "tiff", "gif"),
        *("heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "j2c", "jpf", "jpx", "jxr", "wdp", "hdp", "bpg", "flif"),
        *("dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf", "sr2", "orf", "raf", "rw2", "pef", "x3f", "mrw"),
        *("3fr", "iiq", "erf", "kdc", "dcr", "srw", "rwl", "raw", "psd", "psb", "svg", "svgz", "ico", "cur", "xcf"),
        *("pnm", "pbm", "pgm", "ppm", "pam", "pfm", "hdr", "exr", "tga", "dds", "qoi", "pcx", "ras", "dcm", "djvu"),
    )
)

_PREFIXES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    # Camera makers' variants of TIFF come before TIFF itself.
    (b"II*\x00\x10\x00\x00\x00CR", ImageFormat.CAMERA_RAW),
    (b"IIU\x00", ImageFormat.CAMERA_RAW),
    (b"IIRO", ImageFormat.CAMERA_RAW),
    (b"IIRS", ImageFormat.CAMERA_RAW),
    (b"MMOR", ImageFormat.CAMERA_RAW),
    (b"II\x1a\x00\x00\x00HEAPCCDR", ImageFormat.CAMERA_RAW),
    (b"FUJIFILMCCD-RAW", ImageFormat.CAMERA_RAW),
    (b"FOVb", ImageFormat.CAMERA_RAW),
    (b"\x00MRM", ImageFormat.CAMERA_RAW),
    (b"II\xbc\x01", ImageFormat.JPEG_XR),
    (b"II*\x00", ImageFormat.TIFF),
    (b"MM\x00*", ImageFormat.TIFF),
    (b"II+\x00", ImageFormat.TIFF),
    (b"MM\x00+", ImageFormat.TIFF),
    (b"\xff\x0a", ImageFormat.JPEG_XL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", ImageFormat.JPEG_XL),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", ImageFormat.JPEG_2000),
    (b"\xff\x4f\xff\x51", ImageFormat.JPEG_2000),
    (b"8BPS", ImageFormat.PSD),
    (b"%PDF-", ImageFormat.PDF),
    (b"%!PS", ImageFormat.POSTSCRIPT),
    (b"#?RADIANCE", ImageFormat.RADIANCE),
    (b"#?RGBE", ImageFormat.RADIANCE),
    (b"v/1\x01", ImageFormat.OPENEXR),
    (b"DDS \x7c\x00\x00\x00", ImageFormat.DDS),
    (b"qoif", ImageFormat.QOI),
    (b"gimp xcf ", ImageFormat.XCF),
    (b"AT&TFORM", ImageFormat.DJVU),
    (b"\x59\xa6\x6a\x95", ImageFormat.SUN_RASTER),
    (b"BPG\xfb", ImageFormat.BPG),
    (b"FLIF", ImageFormat.FLIF),
)

# Two letters alone are no signature; these say enough of the header to tell an image from a text that starts alike.
_PATTERNS: tuple[tuple[re.Pattern[bytes], ImageFormat], ...] = (
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ImageFormat.WEBP),
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL), ImageFormat.BMP),
    (re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*\d+\s+\d+\s"), ImageFormat.PNM),
    (re.compile(rb"P7\n(?:#[^\n]*\n)*WIDTH\s"), ImageFormat.PNM),
    (re.compile(rb"P[Ff]\n\d+ \d+\s"), ImageFormat.PNM),
    (re.compile(rb"\x00\x00[\x01\x02]\x00[^\x00]\x00...\x00[\x00\x01]\x00", re.DOTALL), ImageFormat.ICO),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>|\s)*<svg[\s>]", re.DOTALL),
        ImageFormat.SVG,
    ),
    (re.compile(rb".{128}DICM", re.DOTALL), ImageFormat.DICOM),
)

_ISO_BRANDS = {
    b"avif": ImageFormat.AVIF,
    b"avis": ImageFormat.AVIF,
    b"crx ": ImageFormat.CAMERA_RAW,
    b"heic": ImageFormat.HEIC,
    b"heix": ImageFormat.HEIC,
    b"heim": ImageFormat.HEIC,
    b"heis": ImageFormat.HEIC,
    b"hevc": ImageFormat.HEIC,
    b"hevx": ImageFormat.HEIC,
    b"mif1": ImageFormat.HEIC,
    b"msf1": ImageFormat.HEIC,
}


def sniff(data: bytes) -> ImageFormat | None:
    """Tell the format of an image.

    Args:
        data: the file, or at least its first `NUM_SNIFFED_BYTES` bytes.

    Returns:
        The format, supported or not; None if the bytes look like no image.
    """
    head = data[:NUM_SNIFFED_BYTES]
    for prefix, image_format in _PREFIXES:
        if head.startswith(prefix):
            return image_format
    for pattern, image_format in _PATTERNS:
        if pattern.match(head):
            return image_format
    return _sniff_iso_media(head)


def has_image_name(name: str) -> bool:
    """Whether a file's name says that it is an image."""
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and extension.lower() in IMAGE_EXTENSIONS


def _sniff_iso_media(head: bytes) -> ImageFormat | None:
    """Tell pictures from films by their brands: the main one first, then those it is compatible with."""
    if head[4:8] != b"ftyp":
        return None
    box = head[: int.from_bytes(head[:4])]
    brands = [box[8:12], *(box[start : start + 4] for start in range(16, len(box), 4))]
    known = [_ISO_BRANDS[brand] for brand in brands if brand in _ISO_BRANDS]
    # `mif1` says only "some picture"; a brand that names the codec says more.
    return ImageFormat.AVIF if ImageFormat.AVIF in known else next(iter(known), None)
