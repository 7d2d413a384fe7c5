"""Where a benchmark finds the photographs and the weights, and where it keeps what it makes of them."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Git leaves it alone. What was made once is there for the next run.
OUT = ROOT / "out"
RESULTS = OUT / "bench.json"
KEPT = OUT / "bench"
# A state folder whose networks are converted; those who measure work on copies of it.
WARM_HOME = KEPT / "home"


def missing() -> list[str]:
    """What has to be set before anything can be measured, as sentences."""
    sentences = []
    if not os.environ.get("LABELYARD_TEST_DATA"):
        sentences.append("LABELYARD_TEST_DATA is not set: it names the folder with the photographs (CONTRIBUTING.md).")
    elif not photographs().is_dir() or not insects("train").is_dir():
        expected = f"{photographs()} and {insects('train').parent}"
        sentences.append(f"LABELYARD_TEST_DATA: expected the folders {expected} (CONTRIBUTING.md).")
    if not os.environ.get("KERAS_HOME"):
        sentences.append("KERAS_HOME is not set: it names the folder with the weights of mobilenet-0.75.")
    return sentences


def photographs() -> Path:
    """The photographs of ImageNet classes."""
    return _test_data() / "data" / "imagenet_samples"


def insects(part: str) -> Path:
    """A part of the small data set for training, `train` or `val`: one folder per class."""
    return _test_data() / "data" / "hymenoptera" / part


def _test_data() -> Path:
    return Path(os.environ["LABELYARD_TEST_DATA"])
