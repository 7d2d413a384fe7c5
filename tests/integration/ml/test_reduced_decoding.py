"""Decoding photographs at a fraction of their size leaves their labels as they are, with published weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.preprocessing import PreprocessingContract
from core.settings import Settings
from core.types import ResizeMode
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits
from workers.ml.loading import load_backbone
from workers.ml.resizing import prepare

LONG_SIDE = 4000
# Where the two best classes are so near to each other, a pixel out of place or a grey level of noise turns them round.
TOSS_UP = 0.05
DECODER = Decoder(ImageLimits(max_bytes=10**8, max_pixels=10**8))


def as_a_camera_would(image: np.ndarray, noise: np.ndarray) -> bytes:
    """Enlarge a photograph to about 4000 x 3000, with the noise of a sensor, as JPEG."""
    height, width = (round(side * LONG_SIDE / max(image.shape[:2])) for side in image.shape[:2])
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = cv2.add(large, noise[:height, :width], dtype=cv2.CV_8U)
    return cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


@pytest.fixture(autouse=True)
def _published_weights(test_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERAS_HOME", str(test_data / "keras"))


@pytest.mark.parametrize(
    ("mode", "num_photographs"),
    [(ResizeMode.CROP, 40), *(pytest.param(mode, 100, marks=pytest.mark.slow) for mode in ResizeMode)],
)
def test_photographs_that_are_no_toss_up_keep_their_labels_and_the_others_change_less_than_by_a_grey_level_of_noise(
    test_data: Path, tmp_path: Path, mode: ResizeMode, num_photographs: int
):
    network = load_backbone("mobilenet-0.75", Settings(home=tmp_path))
    contract = PreprocessingContract(network.spec.size_hw, mode)
    sensor = np.random.default_rng(0).normal(0, 4, (LONG_SIDE, LONG_SIDE, 3)).astype(np.int8)
    paths = sorted((test_data / "data" / "imagenet_samples").iterdir())[:num_photographs]
    files = [as_a_camera_would(cv2.imread(str(path)), sensor) for path in paths]

    def answers(images: np.ndarray) -> np.ndarray:
        return network.head.probabilities(network.engine.features(images))

    images = np.stack([prepare(DECODER.decode(data), contract) for data in files])
    whole, reduced = (
        answers(images),
        answers(np.stack([prepare(DECODER.decode_for(data, [contract]), contract) for data in files])),
    )
    grey_levels = np.random.default_rng(1).integers(-1, 2, images.shape)
    noisy = answers((images + grey_levels).clip(0, 255).astype(np.uint8))

    best = np.sort(whole, axis=1)
    is_clear = best[:, -1] - best[:, -2] > TOSS_UP
    is_same = whole.argmax(axis=1) == reduced.argmax(axis=1)
    assert is_clear.mean() > 0.85
    assert is_same[is_clear].mean() >= 0.99
    assert 0 < np.abs(reduced - whole).max(axis=1).mean() < np.abs(noisy - whole).max(axis=1).mean()
