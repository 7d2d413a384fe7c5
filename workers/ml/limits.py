"""How large one image may be. Held apart from the decoder so that whoever sets limits need not import OpenCV."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds that keep one image from taking a worker down."""

    max_bytes: int  # of the file, or of the one item of an array or archive
    max_pixels: int  # height times width
