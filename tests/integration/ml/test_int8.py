"""int8 with published weights, on photographs: nearly the same labels, and no fewer right ones."""

from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from core.preprocessing import PreprocessingContract
from core.settings import EngineName, Settings
from workers.ml.catalog import get_backbone
from workers.ml.engines.quantization import quantize
from workers.ml.loading import load_backbone, load_quantized
from workers.ml.networks import NetworkRecipe
from workers.ml.resizing import prepare

pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="nncf is not installed: nothing to make int8 with")


def test_mobilenet_in_int8_keeps_its_labels_and_its_accuracy(test_data, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(test_data / "keras"))
    photographs = sorted((test_data / "data" / "imagenet_samples").iterdir())
    contract = PreprocessingContract((224, 224))
    images = np.stack([prepare(cv2.imread(str(path))[..., ::-1], contract) for path in photographs])
    truth = [path.name.partition("_")[0] for path in photographs]
    settings = Settings(home=tmp_path, engine=EngineName.OPENVINO, batch_size=8)
    recipe = NetworkRecipe(get_backbone("mobilenet-0.75"))

    quantized = quantize(recipe, settings, lambda: images, force=True)

    # One of the 50 images that judge is 2%.
    assert quantized.num_judged == 50
    assert quantized.agreement >= 0.94
    engine, head = load_quantized(recipe, settings, quantized.folder)
    full = load_backbone("mobilenet-0.75", settings).engine
    right = [
        sum(
            head.labels[best].label_id == label_id
            for best, label_id in zip(head.probabilities(part.features(images)).argmax(axis=1), truth, strict=True)
        )
        for part in (engine, full)
    ]
    assert right[0] >= right[1] - 2
