"""The preprocessing contract: what has to be done to pixels before a network sees them.

It is part of a model and is stored with it, because a head that was trained on centre crops and then fed stretched
images answers with confidence and is wrong.
"""

from dataclasses import dataclass

from core.types import ResizeMode


@dataclass(frozen=True, slots=True)
class PreprocessingContract:
    """How a decoded image becomes a network's input, before the backbone's own `preprocess_input`.

    Decoding always yields (H, W, 3) uint8 RGB with the EXIF orientation applied; shrinking interpolates over areas.
    """

    size_hw: tuple[int, int]  # height and width of the network's input, in pixels
    resize: ResizeMode = ResizeMode.CROP
