import pytest
from pictures import saved, scene
from PIL import Image

from workers.ml.formats import IMAGE_EXTENSIONS, ImageFormat, has_image_name, sniff

FTYP = b"\0\0\0\x18ftyp"


@pytest.mark.parametrize(
    ("pillow_name", "expected"),
    [
        ("JPEG", ImageFormat.JPEG),
        ("PNG", ImageFormat.PNG),
        ("WEBP", ImageFormat.WEBP),
        ("BMP", ImageFormat.BMP),
        ("TIFF", ImageFormat.TIFF),
        ("GIF", ImageFormat.GIF),
        ("PPM", ImageFormat.PNM),
        ("ICO", ImageFormat.ICO),
        ("JPEG2000", ImageFormat.JPEG_2000),
        ("AVIF", ImageFormat.AVIF),
        ("PDF", ImageFormat.PDF),
        ("EPS", ImageFormat.POSTSCRIPT),
        ("DDS", ImageFormat.DDS),
        ("QOI", ImageFormat.QOI),
    ],
)
def test_files_that_another_library_wrote_are_told_by_their_content(pillow_name, expected):
    assert sniff(saved(Image.fromarray(scene()), pillow_name)) is expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (FTYP + b"heic\0\0\0\0mif1heic", ImageFormat.HEIC),
        (FTYP + b"mif1\0\0\0\0mif1heic", ImageFormat.HEIC),
        (FTYP + b"mif1\0\0\0\0mif1avif", ImageFormat.AVIF),
        (FTYP + b"crx \0\0\0\1crx isom", ImageFormat.CAMERA_RAW),
        (b"\xff\x0a\xfa", ImageFormat.JPEG_XL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", ImageFormat.JPEG_XL),
        (b"8BPS\0\1", ImageFormat.PSD),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageFormat.SVG),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg width="1">', ImageFormat.SVG),
        (b"P5 # made by hand\n2 2\n255\n", ImageFormat.PNM),
        (b"P7\nWIDTH 3\n", ImageFormat.PNM),
        (b"#?RADIANCE\n", ImageFormat.RADIANCE),
        (b"v/1\x01\2\0\0\0", ImageFormat.OPENEXR),
        (b"II*\0\x10\0\0\0CR\2\0", ImageFormat.CAMERA_RAW),
        (b"FUJIFILMCCD-RAW 0201", ImageFormat.CAMERA_RAW),
        (b"MM\0+\0\x08", ImageFormat.TIFF),
        (b"\0" * 128 + b"DICM", ImageFormat.DICOM),
    ],
)
def test_formats_are_told_by_their_first_bytes(head, expected):
    assert sniff(head + b"\0" * 64) is expected


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"P5 is the name of a conference hall",
        b"BM is how this text begins, and it goes on for longer than a header",
        b"RIFF\0\0\0\0WAVEfmt ",
        FTYP + b"isom\0\0\2\0isomiso2",
        b"<!DOCTYPE html><html><svg></svg></html>",
        b"\0\0\1\xba" + b"\0" * 60,
        b"\0" * 200,
        b"PK\3\4",
    ],
)
def test_what_is_no_image_is_not_taken_for_one(head):
    assert sniff(head) is None


def test_only_six_formats_are_supported():
    assert {image_format for image_format in ImageFormat if image_format.is_supported} == {
        ImageFormat.JPEG,
        ImageFormat.PNG,
        ImageFormat.WEBP,
        ImageFormat.BMP,
        ImageFormat.TIFF,
        ImageFormat.GIF,
    }


@pytest.mark.parametrize("name", ["a.jpg", "A.JPG", "a.b.TiFf", "x.heic", "\udcff.png", "a\n.gif"])
def test_image_names_are_known(name):
    assert has_image_name(name)


@pytest.mark.parametrize("name", ["jpg", ".jpg", "a.jpg.txt", "a.", "a", "a.mp4", "a.npy"])
def test_other_names_are_not_image_names(name):
    assert not has_image_name(name)


def test_extensions_are_lower_case_so_that_they_are_found():
    assert {extension.lower() for extension in IMAGE_EXTENSIONS} == IMAGE_EXTENSIONS
