"""OpenCV, imported late and with its limits set: it reads them from the environment once, while it is imported."""

import os
import sys
from functools import cache
from types import ModuleType


@cache
def import_opencv(max_pixels: int) -> ModuleType:
    """Import OpenCV for decoding.

    Its own limit is the second line: the decoder refuses by what a file's header says before OpenCV sees the file, and
    so loses nothing where something else imported OpenCV first.

    Args:
        max_pixels: the largest image that it may decode.
    """
    if "cv2" not in sys.modules:
        # Only the number of pixels matters; a line of a million pixels is as small as any other million.
        for name in ("PIXELS", "WIDTH", "HEIGHT"):
            os.environ[f"OPENCV_IO_MAX_IMAGE_{name}"] = str(max_pixels)
    import cv2  # noqa: PLC0415  a planner or a command line must not wait for it

    # Images are decoded in threads already; threads within them would only get in each other's way.
    cv2.setNumThreads(0)
    # What is wrong with an image is said in its row, not on standard error.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
