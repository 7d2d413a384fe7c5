"""From a file's bytes to pixels, always (H, W, 3) uint8 RGB, whatever the file holds.

What cannot be decoded is said as an `InputError`, in words for the person who has to mend the file. OpenCV is imported
with the first image, by the process that computes.
"""

from collections.abc import Collection
from types import ModuleType
from typing import Any

import numpy as np

from core.errors import InputError
from core.preprocessing import PreprocessingContract
from core.types import Reason
from workers.ml.formats import SUPPORTED_FORMATS, ImageFormat, sniff
from workers.ml.headers import Header, read_header, unsupported_detail
from workers.ml.limits import ImageLimits
from workers.ml.opencv import import_opencv
from workers.ml.resizing import Picture, largest_reduction

_WHITE = 255
# How far a float may lie outside of 0..255 and still be rounding.
_TOLERANCE = 0.5
# Pixels; twice as fast as all of 20 million at once, because they stay in the processor's cache.
_BLENDED_AT_ONCE = 65_536


class Decoder:
    """Decodes images for one worker; its threads may share it, for OpenCV lets go of Python's lock while it decodes.

    Args:
        limits: how large an image may be.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits

    def decode(self, data: bytes | np.ndarray) -> np.ndarray:
        """Decode one image in full.

        The EXIF orientation is applied; transparent parts are laid on white; of several pages or frames the first is
        taken.

        Args:
            data: a file's bytes, or (H, W, 3) uint8 RGB, which is returned as it is.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            InputError: the bytes are no image, damaged, unsupported, or too large.
        """
        return self.decode_for(data, ()).image_rgb

    def decode_for(self, data: bytes | np.ndarray, contracts: Collection[PreprocessingContract]) -> Picture:
        """Decode one image as large as networks need it.

        Like `decode`, but a JPEG that is much larger is decoded at a half, a quarter or an eighth of its size. That
        takes a fraction of the time and finds the same damage.

        Args:
            data: a file's bytes, or (H, W, 3) uint8 RGB, which is returned as it is.
            contracts: all that the image is going to be prepared for.

        Raises:
            InputError: the bytes are no image, damaged, unsupported, or too large.
            MemoryError: there is not enough of it.
        """
        cv2 = import_opencv(self._limits.max_pixels)
        if isinstance(data, np.ndarray):
            return Picture(data, (data.shape[0], data.shape[1]))
        image_format = supported_format(data)
        header = read_header(data, image_format)
        self._check_size(header)
        # OpenCV decodes other formats in full and shrinks them then.
        reduction = largest_reduction(header.size_hw, contracts) if image_format is ImageFormat.JPEG else 1
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _flags(cv2, header, reduction))
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem or "bad_alloc" in str(error):
                raise MemoryError(str(error)) from error
            raise _undecodable(image_format, str(error)) from error
        if image is None:
            raise _undecodable(image_format)
        image_rgb = _to_rgb(cv2, image, header) if header.keeps_samples else image
        return _as_picture(image_rgb, header, reduction)

    def _check_size(self, header: Header) -> None:
        height, width = header.size_hw
        if height * width > self._limits.max_pixels:
            raise InputError(
                Reason.TOO_MANY_PIXELS,
                f"The image has {width} x {height} pixels; at most {self._limits.max_pixels} are allowed "
                "(LABELYARD_MAX_IMAGE_PIXELS).",
            )


def supported_format(data: bytes) -> ImageFormat:
    """Tell the format of an image that can be decoded.

    Args:
        data: the file, or at least its first `NUM_SNIFFED_BYTES` bytes.

    Raises:
        InputError: it is no image, or one of a format that cannot be decoded.
    """
    if not data:
        raise InputError(Reason.EMPTY_FILE, "The file has no bytes; expected an image. Copy it again.")
    image_format = sniff(data)
    if image_format is None:
        expected = ", ".join(SUPPORTED_FORMATS)
        raise InputError(
            Reason.NOT_AN_IMAGE, f"The file starts with {data[:8]!r}, as no image does; expected one of {expected}."
        )
    if not image_format.is_supported:
        raise InputError(Reason.UNSUPPORTED_FORMAT, unsupported_detail(image_format))
    return image_format


def _flags(cv2: ModuleType, header: Header, reduction: int) -> int:
    if header.keeps_samples:
        flags = cv2.IMREAD_UNCHANGED
    elif reduction == 1:
        flags = cv2.IMREAD_COLOR_RGB
    else:
        # REDUCED_COLOR means BGR, and OpenCV refuses it beside RGB. REDUCED_GRAYSCALE is its bit of the size alone.
        flags = cv2.IMREAD_COLOR_RGB | getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{reduction}")
    return int(flags)


def _as_picture(image_rgb: np.ndarray, header: Header, reduction: int) -> Picture:
    """Say of what an image is a reduction; OpenCV has turned it upright, and tells by its shape alone what it did."""
    height, width = image_rgb.shape[:2]
    stored_height, stored_width = header.size_hw
    reduced_hw = -(-stored_height // reduction), -(-stored_width // reduction)
    if (height, width) == reduced_hw:
        return Picture(image_rgb, (stored_height, stored_width), reduction)
    if (width, height) == reduced_hw:
        return Picture(image_rgb, (stored_width, stored_height), reduction)
    # A lossless JPEG cannot be decoded at any other size than its own.
    return Picture(image_rgb, (height, width))


def _undecodable(image_format: ImageFormat, problem: str = "") -> InputError:
    if "CV_IO_MAX_IMAGE" in problem:
        return InputError(
            Reason.TOO_MANY_PIXELS,
            f"The {image_format} unpacks to more pixels than are allowed and than its header says.",
        )
    return InputError(
        Reason.CORRUPT, f"The {image_format} is damaged and cannot be decoded; save it again from its origin."
    )


def _to_rgb(cv2: Any, image: np.ndarray, header: Header) -> np.ndarray:  # noqa: ANN401  a module
    """Turn samples as they are stored, (H, W) or (H, W, 3 or 4) BGR of any depth, into 8-bit RGB."""
    if header.transparent_grey is not None:
        image = np.where(image == header.transparent_grey, np.iinfo(image.dtype).max, image)
    samples = _to_8_bits(image)
    match samples.shape:
        case (_, _):
            image_rgb = cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB)
        case (_, _, 4):
            image_rgb = _on_white(cv2.cvtColor(samples, cv2.COLOR_BGRA2RGBA), is_premultiplied=header.is_premultiplied)
        case _:
            image_rgb = cv2.cvtColor(samples, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(_upright(image_rgb, header.orientation))


def _to_8_bits(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype.kind != "f":
        raise InputError(
            Reason.UNSUPPORTED_FORMAT,
            f"The image has {image.dtype} samples; expected 8 or 16 bits without sign, or floats.",
        )
    darkest, brightest = float(image.min()), float(image.max())
    # A comparison with NaN is false, so that NaN is refused too.
    if not (darkest >= -_TOLERANCE and brightest <= _WHITE + _TOLERANCE):
        raise InputError(
            Reason.UNSUPPORTED_FORMAT,
            f"The image has float samples from {darkest:g} to {brightest:g}; expected 0 to 1, or 0 to 255.",
        )
    scale = _WHITE if brightest <= 1.0 else 1
    return (image * scale).round().clip(0, _WHITE).astype(np.uint8)


def _on_white(image_rgba: np.ndarray, *, is_premultiplied: bool) -> np.ndarray:
    """Lay it on white, some rows at a time: what comes in between takes several times the memory of the image."""
    num_rows = max(1, _BLENDED_AT_ONCE // image_rgba.shape[1])
    whitened = np.empty((*image_rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(image_rgba), num_rows):
        rows = slice(top, top + num_rows)
        whitened[rows] = _blend(image_rgba[rows], is_premultiplied=is_premultiplied)
    return whitened


def _blend(image_rgba: np.ndarray, *, is_premultiplied: bool) -> np.ndarray:
    alpha = image_rgba[..., 3:].astype(np.uint16)
    over = image_rgba[..., :3] * (np.uint16(_WHITE) if is_premultiplied else alpha)
    blended = (over + _WHITE * (_WHITE - alpha) + _WHITE // 2) // _WHITE
    # Colours that claim to be brighter than their alpha allows would wrap around.
    rgb: np.ndarray = blended.clip(0, _WHITE).astype(np.uint8)
    return rgb


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo how the camera was held. Source: EXIF 2.32, tag 274."""
    flipped = image[:, ::-1] if orientation in (2, 3, 7, 8) else image
    flipped = flipped[::-1] if orientation in (3, 4, 6, 7) else flipped
    return flipped.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else flipped
